"""The machine a pack is proved on: other paths, another order, no network, another user, slow."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise import device as machine
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.tables import read_table
from foldwise.tasks.asked import data_folder
from foldwise.tasks.problem import Problem

_NOBODY = 65534
#: A slowed process works this long and is stopped for the rest of each turn.
_WORK_S = 0.1


@dataclass(frozen=True)
class Ran:
    """How a run of a pack went.

    Attributes:
        code: its exit code.
        seconds: it took.
        said: its output.
        denied: what of the network it asked for.
    """

    code: int
    seconds: float
    said: str
    denied: tuple[str, ...]


def lay_out_data(problem: Problem, folder: Path) -> None:
    """The test rows' files below another root, the table's rows in another order; nothing of train.

    Args:
        problem: whose test rows.
        folder: that is made.
    """
    home: Home = problem.home
    data, tables = data_folder(home, problem.competition), problem.competition.tables
    assert tables.test is not None
    for name in filter(None, (tables.test, tables.sample_submission)):
        if (data / name).is_file():
            _write_shuffled(data / name, folder / name, shuffles=name == tables.test)
    (folder / tables.test).parent.mkdir(parents=True, exist_ok=True)
    every: Samples = problem.test.every_image()
    files = list(dict.fromkeys(str(file) for file in every.frame["file"]))
    for place in np.random.default_rng(0).permutation(len(files)):
        target = folder / files[place]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to((data / files[place]).resolve())


def tree_print(folder: Path) -> str:
    """Hash of all names below a folder, with what they are: whether anything was written there."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        digest.update(f"{path.relative_to(folder)} {stat.st_mode} {stat.st_size}\0".encode())
    return digest.hexdigest()


def lock_up(folder: Path) -> None:
    """Take the right to write from all below a folder."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)


def can_deny() -> bool:
    """Whether a process can be given a network of its own, with nothing in it."""
    return subprocess.run([*_without_network(), "true"], capture_output=True).returncode == 0


def other_user(python: Path, folder: Path) -> int | None:
    """A user that can read and run all that is needed; None: this one cannot become another."""
    if os.geteuid() != 0:
        return None
    asked = [str(python), "-c", f"import torch, os; os.listdir({str(folder)!r})"]
    try:
        tried = subprocess.run(
            asked, user=_NOBODY, group=_NOBODY, extra_groups=[], capture_output=True
        )
    except OSError:
        return None
    return None if tried.returncode else _NOBODY


def run_there(
    command: Sequence[str],
    folder: Path,
    *,
    denies: bool,
    user: int | None,
    slower: float = 1.0,
    kill_after: float,
) -> Ran:
    """Run a command with nothing of this process' environment, and nothing of the network.

    Args:
        command: what to run.
        folder: it works in, and writes to.
        denies: give it a network of its own, beside sockets that raise.
        user: to run as; None: this one.
        slower: how many times longer it shall take: it is stopped and let go on, in turn.
        kill_after: seconds after which it is killed.
    """
    denied = folder / "denied.txt"
    denied.touch()
    denied.chmod(0o666)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "FOLDWISE_DENIED": str(denied),
        "PYTHONUNBUFFERED": "1",
    }
    begun = machine.monotonic()
    with (folder / "said.txt").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*(_without_network() if denies else []), *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
        _watch(process, slower, begun + kill_after)
        spent = machine.monotonic() - begun
        said.seek(0)
        text = said.read()
    asked = tuple(dict.fromkeys(denied.read_text(encoding="utf-8").splitlines()))
    return Ran(process.returncode, spent, text, asked)


def _watch(process: subprocess.Popen[bytes], slower: float, kill_at: float) -> None:
    """Wait for the end; slowed, all of its session is stopped and let go on in turn."""
    while process.poll() is None:
        if machine.monotonic() > kill_at:
            _signal(process, signal.SIGKILL)
        elif slower <= 1.0:
            time.sleep(_WORK_S)
        else:
            time.sleep(_WORK_S)
            _signal(process, signal.SIGSTOP)
            time.sleep(_WORK_S * (slower - 1.0))
            _signal(process, signal.SIGCONT)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to all processes of the session."""
    import psutil

    for found in psutil.process_iter(["pid"]):
        try:
            if os.getsid(found.pid) == process.pid:
                os.kill(found.pid, number)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue


def _without_network() -> list[str]:
    own = ["unshare", "--net"]
    return own if os.geteuid() == 0 else [*own, "--user", "--map-current-user"]


def _write_shuffled(source: Path, target: Path, *, shuffles: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    is_parquet = source.suffix.lower() == ".parquet"
    frame = pd.read_parquet(source) if is_parquet else read_table(source).frame
    if shuffles:
        frame = frame.sample(frac=1, random_state=0)
    if is_parquet:
        frame.to_parquet(target, index=False)
    else:
        frame.to_csv(target, index=False)
