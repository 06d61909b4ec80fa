"""The commit that a competition's folder stands at, for records that tell what made a result."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(path: Path) -> str | None:
    """The commit, with a mark if there are changes; None outside git."""
    try:
        found = subprocess.run(
            ["git", "-C", str(path), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
