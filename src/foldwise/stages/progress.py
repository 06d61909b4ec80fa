"""Progress of a unit through a file: the unit appends lines, whoever watches reads the last."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

_EVERY_S = 0.5
_TAIL_BYTES = 2_000


@dataclass
class Reporter:
    """Appends to `timing.jsonl` at most twice a second, and whenever something has ended.

    Attributes:
        path: the file; emptied at the start.
    """

    path: Path
    _started: float = field(default_factory=time.monotonic)
    _last: float = 0.0

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("", encoding="utf-8")

    def __call__(self, phase: str, done: int, total: int, text: str = "") -> None:
        """Say how far the phase is; lines in quick succession are left out, the last never."""
        now = time.monotonic()
        if done < total and now - self._last < _EVERY_S:
            return
        self._last = now
        line = {
            "phase": phase,
            "done": done,
            "total": total,
            "text": text,
            "seconds": round(now - self._started, 2),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def last_line(path: Path) -> dict[str, object] | None:
    """The newest whole line, or None."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None
