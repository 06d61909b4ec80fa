"""Interleaved timing, peak memory in a process of its own, and the verdict of a benchmark."""

from __future__ import annotations

import gc
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

ROUNDS = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """A ratio that must be reached."""

    what: str
    ratio: float
    least: float

    @property
    def is_met(self) -> bool:
        return self.ratio >= self.least


@dataclass
class Verdict:
    """Targets and demands of equal results, told and judged at the end."""

    targets: list[Target] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def demand(self, is_right: bool, what: str) -> None:
        print(f"  {'equal' if is_right else 'NOT EQUAL'}: {what}")
        if not is_right:
            self.problems.append(what)

    def exit_code(self) -> int:
        print()
        for target in self.targets:
            word = "met" if target.is_met else "MISSED"
            print(f"{word}: {target.what}: {target.ratio:.2f}x, target {target.least:g}x")
        return 1 if self.problems or not all(target.is_met for target in self.targets) else 0


@dataclass
class Times:
    """Seconds of a case in each round.

    CPU seconds are those of this process; workers of their own are not in them.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def describe_machine() -> bool:
    """Print what this is; returns whether others keep it busy, so that wall times mislead."""
    load, cores = psutil.getloadavg()[0], psutil.cpu_count() or 1
    print(f"{platform.machine()}, {cores} cores, load {load:.1f} before the start")
    return load > cores / 4


def interleaved(
    cases: Mapping[str, Callable[[], T]], *, rounds: int = ROUNDS
) -> tuple[dict[str, Times], dict[str, T]]:
    """Times of each case in each round, and what it gave in a first one that only warms up.

    The order turns every round.
    """
    given = {name: case() for name, case in cases.items()}
    times = {name: Times() for name in cases}
    names = list(cases)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            cases[name]()
            times[name].wall.append(time.perf_counter() - wall)
            times[name].cpu.append(time.process_time() - cpu)
    return times, given


def ratio(peers: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> float:
    """How many times faster ours is: each side's best case, compared round by round.

    The median of the rounds' ratios: a slow spell of the machine hits both sides of a round.
    """
    peer, own = (min(cases, key=statistics.median) for cases in (peers, ours))
    return statistics.median(theirs / mine for theirs, mine in zip(peer, own, strict=True))


def print_table(
    times: Mapping[str, Times], num: int, memory: Mapping[str, float], *, unit: str = "images"
) -> None:
    heads = ("wall s", "least", "most", "CPU s", f"{unit}/s", "MiB")
    print("\n" + " " * 34 + "".join(f"{head:>10}" for head in heads))
    for name, found in times.items():
        wall = statistics.median(found.wall)
        numbers = [wall, min(found.wall), max(found.wall), statistics.median(found.cpu)]
        cells = [f"{number:.3f}" for number in numbers] + [f"{num / wall:.0f}"]
        cells.append(f"{memory[name]:.0f}" if name in memory else "")
        print(f"{name:34}" + "".join(f"{cell:>10}" for cell in cells))
    rounds = len(next(iter(times.values())).wall)
    print(f"medians of {rounds}, cases interleaved; MiB: peak above the start, workers included\n")


def _pss(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)


def peak_memory(
    script: str, case: str, folder: Path, *, of: Callable[[psutil.Process], int] = _pss
) -> float:
    """MiB that one case takes at most above the process's own start, its workers included.

    The script, called with `--case NAME FOLDER`, calls `ready()` before the work. `of` tells the
    bytes of a process; pages that several share count once (PSS).
    """
    return max(most for _, most in memory_course(script, case, folder, of=of))


def memory_course(
    script: str, case: str, folder: Path, *, of: Callable[[psutil.Process], int] = _pss
) -> list[tuple[float, float]]:
    """Seconds since the work began, and MiB above the start by then; of the same as there."""
    command = [sys.executable, script, "--case", case, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready", case
        tree, began = psutil.Process(child.pid), time.monotonic()
        start = _total(tree, of)
        course = [(0.0, 0.0)]
        done = threading.Event()
        threading.Thread(target=lambda: (child.wait(), done.set()), daemon=True).start()
        while not done.wait(0.1):
            course.append((time.monotonic() - began, (_total(tree, of) - start) / 2**20))
        assert child.returncode == 0, case
    return course


def ready() -> None:
    """Tell `peak_memory` that the work begins."""
    print("ready", flush=True)
    time.sleep(0.3)  # It takes the measure of the start meanwhile.


def _total(tree: psutil.Process, of: Callable[[psutil.Process], int]) -> int:
    total = 0
    try:
        for process in [tree, *tree.children(recursive=True)]:
            total += of(process)
    except psutil.Error:
        pass  # It ended while it was looked at.
    return total
