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


def describe_machine() -> None:
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    print(f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores, load {load}")


def interleaved(
    cases: Mapping[str, Callable[[], T]], *, rounds: int = ROUNDS
) -> tuple[dict[str, list[float]], dict[str, T]]:
    """Seconds of each case in each round, and what it gave in a first one that only warms up.

    The order turns every round.
    """
    given = {name: case() for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            gc.collect()
            started = time.perf_counter()
            cases[name]()
            seconds[name].append(time.perf_counter() - started)
    return seconds, given


def ratio(peers: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> float:
    """How many times faster ours is: median of the rounds' ratios, each side's best case."""
    peer = min(peers, key=statistics.median)
    own = min(ours, key=statistics.median)
    return statistics.median(p / o for p, o in zip(peer, own, strict=True))


def print_table(
    seconds: Mapping[str, Sequence[float]], num_images: int, memory: Mapping[str, float]
) -> None:
    print(f"\n{'':34}{'median s':>10}{'least':>8}{'most':>8}{'images/s':>10}{'memory MiB':>12}")
    for name, found in seconds.items():
        middle = statistics.median(found)
        used = f"{memory[name]:.0f}" if name in memory else ""
        print(
            f"{name:34}{middle:10.3f}{min(found):8.3f}{max(found):8.3f}"
            f"{num_images / middle:10.0f}{used:>12}"
        )
    print(f"medians of {min(map(len, seconds.values()))}, cases interleaved\n")


def peak_memory(script: str, case: str, folder: Path) -> float:
    """MiB that one case takes at most above the process's own start, its workers included.

    The script, called with `--case NAME FOLDER`, calls `ready()` before the work. Shared pages
    count once (PSS).
    """
    command = [sys.executable, script, "--case", case, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready", case
        tree = psutil.Process(child.pid)
        start = most = _pss(tree)
        done = threading.Event()
        threading.Thread(target=lambda: (child.wait(), done.set()), daemon=True).start()
        while not done.wait(0.02):
            most = max(most, _pss(tree))
        assert child.returncode == 0, case
    return (most - start) / 2**20


def ready() -> None:
    """Tell `peak_memory` that the work begins."""
    print("ready", flush=True)
    time.sleep(0.3)  # It takes the measure of the start meanwhile.


def _pss(tree: psutil.Process) -> int:
    total = 0
    try:
        for process in [tree, *tree.children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.Error:
        pass  # It ended while it was looked at.
    return total
