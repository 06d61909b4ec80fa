"""Trains a tiny competition over and over in forked processes and breaks them: prints counts.

Usage: python -m tests.survive.driver FOLDER NUM_KILLS [SUCCESSIVE | full-disk]
One process imports torch, without starting its threads; every attempt is a fork of it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import foldwise.cluster.preload  # noqa: F401
from foldwise import publish
from foldwise.config.writing import write_yaml
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.evaluate import evaluate
from foldwise.stages.predict import predict
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.submit import submit
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.jobs import train_unit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home

# Kills go by turns to units with so many threads that prepare batches.
WORKERS = (0, 1, 2, 4)
# Saved after nearly every step, so that there is much to go on from.
EVERY_STEP = {"every": "0s", "share": 1.0}
RECIPE = {
    **SMALL,
    "views": ["identity", "hflip"],
    "train": {**SMALL["train"], "epochs": 2, "ema": 0.9, "checkpoint": EVERY_STEP},
}
#: Exit status of a run that had fewer phases than the one that was to be broken off.
NOT_REACHED = 77
# With times in them; a journal is what a kill leaves for the next who opens the ledger.
NOT_COMPARED = {
    *("timing.jsonl", "log.txt", "run.json", ".lock", "entry.json", "made_of.json"),
    *("ledger.db", "ledger.db-journal"),
}


def journey(home: Home) -> None:
    """Train all folds, merge, score and hand in, in this process."""
    recipe = load_recipe(home, "a")
    run = RunDir(home.runs / "a")
    units = units_of(open_problem(home), recipe, run)
    record_run(units[0], (0,))
    for unit in units:
        train_unit(str(home.path), str(run.path), unit.fold, 0, 1, None)
    predict(home, "a")
    evaluate(home, "a")
    submit(home, None)


def forked(work: Callable[[], None]) -> int:
    """The status of a child that does the work; its output is thrown away."""
    child = os.fork()
    if child == 0:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_after(seconds: float, work: Callable[[], None]) -> int:
    """The same, killed by itself after a time."""

    def doomed() -> None:
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
        work()

    return forked(doomed)


def killed_at(phase: int, work: Callable[[], None]) -> int:
    """The same, killed at the n-th phase of a publication."""

    def doomed() -> None:
        seen = [0]

        def step(name: str, path: Path) -> None:
            seen[0] += 1
            if seen[0] == phase:
                os.kill(os.getpid(), signal.SIGKILL)

        publish.step = step
        work()

    return forked(doomed)


def full_at(phase: int, work: Callable[[], None]) -> int:
    """The same, broken off by a full disk at the n-th phase of a publication; or `NOT_REACHED`."""

    def doomed() -> None:
        seen = [0]

        def step(name: str, path: Path) -> None:
            seen[0] += 1
            if seen[0] == phase:
                if name in ("opened", "written"):
                    os.truncate(path, path.stat().st_size // 2)
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        publish.step = step
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # Its traceback is no news.
        work()
        if seen[0] < phase:
            os._exit(NOT_REACHED)

    return forked(doomed)


def count_phases(work: Callable[[], None], count_file: Path) -> int:
    """How many phases an uninterrupted run has."""

    def counted() -> None:
        seen = [0]

        def step(name: str, path: Path) -> None:
            seen[0] += 1

        publish.step = step
        work()
        count_file.write_text(str(seen[0]))

    assert forked(counted) == 0
    return int(count_file.read_text())


def hashes(home: Home) -> dict[str, str]:
    """SHA-256 of every artifact of runs and submissions."""
    places = [home.runs, home.submissions]
    files = sorted(p for place in places for p in place.rglob("*") if p.is_file())
    found = {
        str(p.relative_to(home.path)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if p.name not in NOT_COMPARED
    }
    return {**found, "submission": hashlib.sha256(home.submission.read_bytes()).hexdigest()}


def main(folder: Path, num_kills: int, successive: int, *, is_disk_full: bool) -> dict[str, int]:
    """Break and resume; returns the counts."""
    template = make_home(folder / "template", recipes={"a": RECIPE}, num_train=36)
    prepare(template)
    split(template)

    def fresh(name: str, workers: int = 2) -> Home:
        shutil.copytree(folder / "template", folder / name)
        home = Home(folder / name / "comp")
        train = {**RECIPE["train"], "workers": workers}
        home.recipe("a").unlink()
        write_yaml(home.recipe("a"), {**RECIPE, "train": train})
        return home

    times = []
    for name in ("whole", "again"):  # The first one reads much from the disk; later ones do not.
        home = fresh(name)
        started = time.monotonic()
        num_phases = count_phases(lambda home=home: journey(home), folder / "phases")
        times.append(time.monotonic() - started)
    took, wanted = min(times), hashes(home)
    draw = random.Random(0)
    counts = {"planned": num_kills, "killed": 0, "identical": 0, "strays": 0}
    for number in range(num_kills):
        home = fresh(f"kill{number}", WORKERS[number // 2 % len(WORKERS)])
        for _ in range(successive):
            work = lambda home=home: journey(home)  # noqa: E731
            # What is resumed has less to do: later kills must come as early as the first.
            if is_disk_full:
                # How often a state is saved is up to the clock: the last phases may not come.
                phase = 1 + number * num_phases // num_kills
                while (status := full_at(phase, work)) == NOT_REACHED:
                    shutil.rmtree(home.path.parent)
                    home = fresh(f"kill{number}", WORKERS[number // 2 % len(WORKERS)])
                    work = lambda home=home: journey(home)  # noqa: E731
                    phase -= 1
            elif number % 2:
                status = killed_at(draw.randint(1, max(num_phases // successive, 1)), work)
            else:
                status = killed_after(draw.uniform(0.05, took / successive), work)
            counts["killed"] += status == (1 if is_disk_full else -signal.SIGKILL)
        assert forked(lambda home=home: journey(home)) == 0
        found = hashes(home)
        counts["identical"] += found == wanted
        if found != wanted:
            keys = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
            print(f"kill {number} differs: {keys}", file=sys.stderr)
        counts["strays"] += len(list(home.path.rglob(".foldwise-part-*")))
        shutil.rmtree(folder / f"kill{number}")
    return counts


if __name__ == "__main__":
    how = (sys.argv[3:] or ["1"])[0]
    is_disk_full = how == "full-disk"
    times = 1 if is_disk_full else int(how)
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), times, is_disk_full=is_disk_full)))
