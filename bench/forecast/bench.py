"""The doctor's forecasts of memory and time against what is measured, on held-out pairs.

For each network, steps are tried at the four pairs of batch and size that `foldwise doctor --costs`
tries, and forecast for five other pairs: each in a process of its own with one compute thread, the
fastest of five rounds. Memory is the most the whole process holds, as what a unit takes; beside it
stands the error of the part that grows with batch and size, which is not judged. Then whole
short trainings, stage by stage, by the trial that `foldwise train` makes before it starts.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import measure
import numpy as np
from noise import write_noise

from foldwise.cluster.local import Job, run_jobs
from foldwise.engine.assemble import Assembly
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.examining.cost_trial import tried_cost
from foldwise.stages.examining.costs import Cost, CostModel, near_size, trial_points
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.scheduling import forecast
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.scheduling.unit_forecast import Forecast, unit_forecast
from foldwise.stages.split import split
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.starting import unit_job
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem

NUM, SIDE, CLASSES = 192, 64, ("ape", "bear", "cow")
#: A schedule of three kinds of epochs: the head alone, and all at two sizes.
STAGED = """\
model: {name: resnet18}
input: {size: 96, zoom: 1.0}
augment: [crop, hflip]
train:
  epochs: 6
  batch: 16
  precision: fp32
  schedule: {preset: staged, head: 2}
  sizes: [64, 96]
"""
ROUNDS = 5
#: Largest relative error of a forecast.
TARGET = 0.15

COMPETITION = f"""\
name: bench
data: data
tables: {{train: train.csv}}
images: {{kind: path, column: file}}
columns: {{id: id, target: [label]}}
task: multiclass
classes: [{", ".join(CLASSES)}]
metric: log_loss
"""
RECIPE = """\
model: {{name: {name}}}
input: {{size: {size}, zoom: 1.0}}
train: {{epochs: 2, batch: {batch}, precision: fp32}}
"""
#: Network → batch and size of its recipe.
NETWORKS = {
    "small_cnn": (64, 64),
    "resnet18": (16, 96),
    "mobilenetv3_small_100": (16, 128),
    "vit_tiny_patch16_224": (16, 96),
}


def make_competition(folder: Path) -> Home:
    """Noise with a tint by class, prepared and split."""
    home = Home(folder)
    write_noise(folder / "data", num=NUM, side=SIDE, classes=CLASSES)
    home.competition.write_text(COMPETITION)
    home.plan.write_text("recipes: {small_cnn: {}}\nfolds: {count: 4}\n")
    home.recipes.mkdir()
    for name, (batch, size) in NETWORKS.items():
        home.recipe(name).write_text(RECIPE.format(name=name, size=size, batch=batch))
    home.recipe("staged").write_text(STAGED)
    quiet = Display(quiet=True)
    prepare(
        home,
        inputs=[load_recipe(home, name).input for name in (*NETWORKS, "staged")],
        display=quiet,
    )
    split(home, display=quiet)
    return home


def held_out(batch: int, size: int) -> tuple[tuple[int, int], ...]:
    """Pairs that are not tried: within the trials' range and beyond its batches."""
    most = max(2, min(batch, 16))
    return (
        (most // 2, size),
        (most, size),
        (2 * most, size),
        (most * 3 // 4, near_size(size, 0.72)),
        (2 * most, near_size(size, 1.28)),
    )


def measured(home: Home, name: str, pairs: Sequence[tuple[int, int]], clock: str) -> Iterator[Cost]:
    """Each pair in a process of its own, as the doctor's trials are."""
    jobs = [
        Job(
            name=f"{name}, {batch} x {size} px",
            function="forecast.bench:cost_of_pair",
            arguments=(str(home.path), name, batch, size, clock),
            log=home.path / "log.txt",
            threads=1,
        )
        for batch, size in pairs
    ]
    for outcome in run_jobs(jobs, parallel=1):
        if outcome.error is not None:
            raise RuntimeError(f"{outcome.job.name}: {outcome.error}")
        yield outcome.value


def best_of_rounds(
    home: Home, name: str, pairs: Sequence[tuple[int, int]], clock: str
) -> list[Cost]:
    """Each pair's fastest round, pairs interleaved: a slow spell of the machine hits a few."""
    rounds = [list(measured(home, name, pairs, clock)) for _ in range(ROUNDS)]
    return [min(tried, key=lambda cost: cost.seconds) for tried in zip(*rounds, strict=True)]


def cost_of_pair(path: str, name: str, batch: int, size: int, clock: str) -> Cost:
    """The job behind `measured`."""
    clocks: dict[str, Callable[[], float]] = {"wall": time.monotonic, "CPU": time.process_time}
    home = Home(Path(path))
    assembly = Assembly(open_problem(home), load_recipe(home, name))
    return tried_cost(assembly, batch, size, clock=clocks[clock])


def pair_errors(home: Home, name: str, clock: str) -> Iterator[tuple[float, float]]:
    """(memory, time) error of each held-out pair of a network."""
    batch, size = NETWORKS[name]
    corners, _ = trial_points(batch, size)
    pairs = held_out(batch, size)
    found = best_of_rounds(home, name, (*corners, *pairs), clock)
    model = CostModel.of(found[: len(corners)])
    fixed = model.memory[0]
    print(f"\n{name}: tried {', '.join(f'{b} x {s} px' for b, s in corners)}")
    heads = ("GiB", "forecast", "error", "of what grows", "seconds", "forecast", "error")
    print(f"{'held out':>16}" + "".join(f"{head:>14}" for head in heads))
    for real in found[len(corners) :]:
        said = model.at(real.batch, real.size)
        memory, seconds = said.memory / real.memory - 1, said.seconds / real.seconds - 1
        grown = (said.memory - fixed) / max(real.memory - fixed, 1.0) - 1
        cells = [f"{real.memory / 2**30:.2f}", f"{said.memory / 2**30:.2f}", f"{memory:+.1%}"]
        cells += [f"{grown:+.1%}", f"{real.seconds:.3f}", f"{said.seconds:.3f}", f"{seconds:+.1%}"]
        print(f"{real.batch:>6} x {real.size:>4} px" + "".join(f"{cell:>14}" for cell in cells))
        yield abs(memory), abs(seconds)


def schedule_errors(home: Home) -> list[float]:
    """Error of the whole unit; its stages are printed beside it."""
    recipe = load_recipe(home, "staged")
    measured_rates, _ = forecast.measure(home, {"staged": recipe}, parallel=1)
    rates = measured_rates["staged"]
    (unit,) = units_of(open_problem(home), recipe, RunDir(home.runs / "staged"), folds=[0])
    said = unit_forecast(unit, rates, forecast.num_epochs(recipe))
    record_run(unit, (0,))
    job = unit_job("train_unit", unit, side_by_side(1)[1], None, json.dumps(asdict(rates)))
    started = time.monotonic()
    (outcome,) = run_jobs([job], parallel=1)
    took = time.monotonic() - started
    if outcome.error is not None:
        raise RuntimeError(outcome.error)
    print(f"\nstaged, forecast of one unit: {said}; it took {took:.0f} s")
    print(f"{'stage':>16}{'seconds':>14}{'forecast':>14}{'error':>14}")
    for part, real in zip(said.parts, stage_seconds(unit, said), strict=True):
        expected = part.seconds * part.epochs
        print(f"{part.name:>16}{real:>14.1f}{expected:>14.1f}{expected / real - 1:>+14.1%}")
    return [abs(said.seconds / took - 1)]


def stage_seconds(unit: Unit, said: Forecast) -> list[float]:
    """What each stage took, between the progress lines of the unit; the last without its scores."""
    lines = [json.loads(line) for line in unit.folder.timing.read_text().splitlines()]
    steps = [
        (line["done"], line["seconds"], line["total"]) for line in lines if line["phase"] == "train"
    ]
    done, seconds, totals = (np.array(column, dtype=float) for column in zip(*steps, strict=True))
    epochs = np.cumsum([0, *(part.epochs for part in said.parts)])
    ends = np.interp(epochs / epochs[-1] * totals[0], done, seconds)
    return [float(span) for span in np.diff(ends)]


def main() -> int:
    is_busy = measure.describe_machine()
    print((__doc__ or "").strip())
    clock = "CPU" if is_busy else "wall"
    if is_busy:
        print("The machine is busy: judged are CPU seconds, which others disturb less than wall.")
    with tempfile.TemporaryDirectory() as folder:
        home = make_competition(Path(folder))
        errors = [pair for name in NETWORKS for pair in pair_errors(home, name, clock)]
        whole = schedule_errors(home)
    found = {
        "memory": [memory for memory, _ in errors],
        f"{clock} seconds of a step": [seconds for _, seconds in errors],
    }
    if is_busy:
        print(f"Not judged on a busy machine, whose wall time drifts: a unit, {whole[0]:.1%} off")
    else:
        found["wall seconds of a whole unit"] = whole
    return judge(found)


def judge(errors: dict[str, list[float]]) -> int:
    """Print worst and median of each kind of forecast, and whether the target is met."""
    print()
    for what, found in errors.items():
        word = "met" if max(found) <= TARGET else "MISSED"
        print(
            f"{word}: forecast of {what}, {len(found)} held out: worst {max(found):.1%}, median "
            f"{statistics.median(found):.1%}, target {TARGET:.0%}"
        )
    return int(any(max(found) > TARGET for found in errors.values()))


if __name__ == "__main__":
    sys.exit(main())
