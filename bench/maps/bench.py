"""Peak memory of what is done with maps, each step in a process of its own.

Images of 256 x 1600 with four classes, mostly without a defect: maps of units are written, merged,
decided cross-fitted, scored with intervals, two runs are blended, alone and behind a gate, and a
submission is written.
Told is the memory of the step: above the start, pages of the maps' files included; above the start
without these, which the system takes back when it needs them; and that with what the process held
before. The last is judged, by a line through two numbers of images or more: give other ones as
words, `python bench/maps/bench.py 1500 3000`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import measure
import numpy as np
import psutil
from strips import Strips, make_strips, open_strips, units_of, write_gate, write_unit

from foldwise.home import Home
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.predict import merge_units
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.submitting.content import submission_bytes
from foldwise.tasks.problem import Problem

NUMBERS = (500, 1000)
FULL = 12_000
MOST_MIB = 2000
RUNS = ("a", "b")
GATE = "shown"


def write(problem: Problem) -> Callable[[], Any]:
    """The unit of a fold."""
    unit, strips = units_of(problem, "a")[0], Strips()
    return lambda: write_unit(unit, strips)


def merge(problem: Problem) -> Callable[[], Any]:
    def work() -> None:
        for name in RUNS:
            units = units_of(problem, name)
            merge_units(units[0].run, units[0].run.read_record(), units)

    return work


def decide(problem: Problem) -> Callable[[], Any]:
    return lambda: read_decided(problem, problem.home.run("a"))


def score(problem: Problem) -> Callable[[], Any]:
    return lambda: evaluate(problem.home, "a", problem=problem, display=Display())


def mean(problem: Problem) -> Callable[[], Any]:
    return lambda: blend(problem.home, "both", members=RUNS, problem=problem, display=Display())


def gated(problem: Problem) -> Callable[[], Any]:
    return lambda: blend(
        problem.home, "gated", members=RUNS, gate=GATE, problem=problem, display=Display()
    )


def hand_in(problem: Problem) -> Callable[[], Any]:
    run = problem.home.run("a")
    return lambda: submission_bytes(problem, run, run.name)


#: Step → what gets its work ready.
CASES: dict[str, Callable[[Problem], Callable[[], Any]]] = {
    "write a unit": write,
    "merge two runs": merge,
    "decide": decide,
    "score": score,
    "submit": hand_in,
    "blend": mean,
    "blend gated": gated,
}


def own_memory(process: psutil.Process) -> int:
    """Bytes that are no part of a file."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))


class Taken(NamedTuple):
    """What a step took.

    Attributes:
        above: MiB above the start.
        own: of these what is no part of a file.
        whole: MiB that are no part of a file, those at the start included.
        seconds: by the clock.
    """

    above: float
    own: float
    whole: float
    seconds: float


def measured(folder: Path, num: int) -> dict[str, Taken]:
    """Step → what it took with so many images."""
    make_strips(Home(folder), num)
    problem, strips = open_strips(folder), Strips()
    for name in RUNS:
        for unit in units_of(problem, name):
            write_unit(unit, strips)
    write_gate(problem, GATE)
    found = {}
    for name in CASES:
        own: list[float] = []

        def both(process: psutil.Process, own: list[float] = own) -> int:
            own.append(own_memory(process) / 2**20)
            return int(process.memory_full_info().pss)

        begun = time.monotonic()
        above = measure.peak_memory(__file__, name, folder, of=both)
        taken = Taken(above, max(own) - own[0], max(own), time.monotonic() - begun)
        found[name] = taken
        numbers = "".join(f"{number:9.0f}" for number in taken)
        print(f"{num:6}  {name:16}{numbers}", flush=True)
    return found


def main() -> int:
    if sys.argv[1:2] == ["--case"]:
        work = CASES[sys.argv[2]](open_strips(Path(sys.argv[3])))
        measure.ready()
        work()
        return 0
    measure.describe_machine()
    print((__doc__ or "").strip())
    numbers = [int(word) for word in sys.argv[1:]] or list(NUMBERS)
    if len(set(numbers)) < 2:
        print("growth is told by two numbers of images or more", file=sys.stderr)
        return 2
    print(f"\nimages  step            {'above':>9}{'own':>9}{'whole':>9}  MiB    s")
    each = {}
    for num in numbers:
        with tempfile.TemporaryDirectory() as name:
            each[num] = measured(Path(name), num)
    return judged(each)


def judged(each: dict[int, dict[str, Taken]]) -> int:
    """Tell what there would be at `FULL` images, by a line through what was measured."""
    is_met = True
    print()
    for name in CASES:
        wholes = [found[name].whole for found in each.values()]
        slope, start = np.polyfit(list(each), wholes, 1)
        full = max(*wholes, start + slope * FULL)
        is_met &= full < MOST_MIB
        print(f"{name:16}{1000 * slope:7.0f} MiB per 1,000 images, {full:6.0f} MiB at {FULL:,}")
    print(f"\n{'met' if is_met else 'MISSED'}: under {MOST_MIB} MiB at {FULL:,} images")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
