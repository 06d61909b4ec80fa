"""foldwise's verbs as commands, and the processor time they take."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from foldwise.home import Home
from foldwise.publish import publish_text

_POLL_S = 1.0
_PR_SET_PDEATHSIG = 1  # From Linux' sys/prctl.h.


class VerbError(Exception):
    """A command ended badly; what it said."""


def foldwise(*words: str, tell: Callable[[float], None] = lambda cpu_s: None) -> None:
    """Run a command such as `train base`, and wait for it; killed, it takes the command along.

    Args:
        words: the verb and what it is given.
        tell: called about once a second with the processor seconds of the command and all that it
            started. Unlike those of the clock, they do not count what else the machine does.

    Raises:
        VerbError: its exit code is not 0.
    """
    command = [sys.executable, "-m", "foldwise", *words]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent
        )
        _watch(process, tell)
        if process.returncode:
            said.seek(0)
            raise VerbError(f"foldwise {' '.join(words)}: {said.read().strip()}")


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
    for verb in ("prepare", "split"):
        foldwise(verb, "-C", str(home.path), "--quiet")


def _watch(process: subprocess.Popen[str], tell: Callable[[float], None]) -> None:
    """Look again and again: units run in children of a server that nobody waits for."""
    seconds: dict[psutil.Process, float] = {}
    root = psutil.Process(process.pid)
    while True:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    used = each.cpu_times()
                    seconds[each] = used.user + used.system
        tell(sum(seconds.values()))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
            return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
