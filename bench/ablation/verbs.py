"""foldwise's verbs as commands, and the processor time they take."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

from foldwise.publish import publish_text
from foldwise.rundir import Home


class VerbError(Exception):
    """A command ended badly; what it said."""


def foldwise(*words: str) -> float:
    """Run a command such as `train base`, and wait for it.

    Returns:
        Processor seconds of it and all that it started, other than the clock independent of what
        else the machine does.

    Raises:
        VerbError: its exit code is not 0.
    """
    before = _cpu_s()
    command = [sys.executable, "-m", "foldwise", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VerbError(f"foldwise {' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return _cpu_s() - before


def begin(home: Home, data: Path, init: tuple[str, ...]) -> None:
    """A competition's folder without the recipes that `init` proposes; one that is there stays.

    Raises:
        VerbError: the pack is absent, or foldwise cannot read it.
    """
    if home.path.exists():
        return
    # Renamed when whole. A sibling, since the data's place is written relative to it.
    part = Home(home.path.with_name(f"{home.path.name}.part"))
    shutil.rmtree(part.path, ignore_errors=True)
    foldwise("init", str(part.path), "--data", str(data), *init, "--quiet")
    for proposed in part.recipes.glob("*.yaml"):
        proposed.unlink()
    part.path.rename(home.path)


def split(home: Home, recipe: str, num_folds: int) -> None:
    """Folds, made once.

    Args:
        home: it has its recipes.
        recipe: one of them; a plan names at least one.
        num_folds: of them.
    """
    if home.folds.exists():
        return
    publish_text(home.plan, f"recipes: {{{recipe}: {{}}}}\nfolds: {{count: {num_folds}}}\n")
    for verb in ("prepare", "audit", "split"):
        foldwise(verb, "-C", str(home.path), "--quiet")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
