"""Whole epochs from one folder of JPEGs: foldwise, timm's `train.py` and fastai side by side.

Each side trains ResNet-18 from scratch at 96 px for three epochs, in a process of its own with its
own two workers; the sides take turns. foldwise does what `prepare` and a unit do: the first epoch
counts the preparation, later ones read the cache. Counted are wall seconds, and CPU seconds with
those of all workers.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import measure
import numpy as np
import psutil
import torch
from peers import EndEpoch, Job, fastai_train, timm_train
from PIL import Image, ImageFilter

from foldwise.device import keep_freed_memory
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import EpochEnd, fit
from foldwise.engine.fitting import fit_plan, fit_state, image_batches
from foldwise.home import Home
from foldwise.models.network import Layout
from foldwise.stages.display import Display
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.tasks.problem import open_problem

NUM, SIDES, CLASSES = 256, (256, 512), ("ape", "bear", "cow", "deer")
SIZE, BATCH, EPOCHS = 96, 32, 3
LR, WEIGHT_DECAY, SCALE, RATIO = 1e-3, 0.01, (0.6, 1.0), (0.8, 1.25)
#: What the trial of `stages/training/step_trials.py` decides for at this size, on two cores.
LAYOUT: Layout = "channels_last"
TARGET = 1.2

COMPETITION = f"""\
name: bench
data: images
tables: {{train: ../train.csv}}
images: {{kind: path, column: file}}
columns: {{id: file, target: [label]}}
task: multiclass
classes: [{", ".join(CLASSES)}]
metric: log_loss
"""
RECIPE = f"""\
model: {{name: resnet18}}
input: {{size: {SIZE}}}
augment: [{{name: crop, scale: {list(SCALE)}, ratio: {list(RATIO)}}}, hflip]
train: {{epochs: {EPOCHS}, batch: {BATCH}, lr: {LR}, weight_decay: {WEIGHT_DECAY}, workers: 2,
  precision: fp32, layout: {LAYOUT}}}
"""


@dataclass
class Epochs:
    """Of one run: wall and CPU seconds of each epoch, and its mean loss."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def make_images(folder: Path) -> None:
    """JPEGs of quality 90 with about the detail of photos, tinted by class, in a folder of each."""
    rng = np.random.default_rng(0)
    for index in range(NUM):
        label, side = index % len(CLASSES), int(rng.integers(*SIDES))
        coarse = rng.integers(0, 200, (8, 8, 3)).astype(np.uint8)
        coarse[:, :, label % 3] //= 1 + label
        image = np.asarray(
            Image.fromarray(coarse).resize((side, SIDES[0]), Image.Resampling.BICUBIC)
        )
        grain = Image.fromarray(rng.integers(0, 256, image.shape[:2]).astype(np.uint8))
        grain = np.asarray(grain.filter(ImageFilter.GaussianBlur(1.0)), dtype=np.int16) - 128
        path = folder / CLASSES[label] / f"{index:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(image + grain[:, :, None] // 2, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)


def own_train(job: Job, end_epoch: EndEpoch) -> None:
    """As `foldwise prepare` and a unit of `foldwise train` do."""
    keep_freed_memory()
    home = Home(job.images.parent)
    home.recipes.mkdir()
    home.competition.write_text(COMPETITION)
    home.recipe("a").write_text(RECIPE)
    recipe = load_recipe(home, "a")
    prepare(home, inputs=[recipe.input], display=Display(quiet=True))
    assembly, rows, cpu = Assembly(open_problem(home), recipe), np.arange(NUM), torch.device("cpu")
    torch.manual_seed(42)
    network = assembly.network()
    network.set_layout(LAYOUT)
    plan = fit_plan(
        assembly,
        rows,
        cpu,
        batches=image_batches(assembly, rows, seed=0, fold=0),
        stages=assembly.stages(),
        seed=0,
        fold=0,
    )
    for event in fit(fit_state(assembly, network, cpu), plan):
        if isinstance(event, EpochEnd):
            end_epoch(event.loss)


SIDES_OF: dict[str, Callable[[Job, EndEpoch], None]] = {
    "timm": timm_train,
    "fastai": fastai_train,
    "foldwise": own_train,
}


def run_case(name: str, folder: Path) -> None:
    """One side's training in this process; its `Epochs` go to standard output as JSON."""
    last = torch.channels_last if LAYOUT == "channels_last" else torch.contiguous_format
    job = Job(
        folder / "images", "resnet18", SIZE, BATCH, EPOCHS, LR, WEIGHT_DECAY, SCALE, RATIO, last, 2
    )
    found, marks = Epochs(), [(time.perf_counter(), _cpu_seconds())]

    def end_epoch(loss: float) -> None:
        marks.append((time.perf_counter(), _cpu_seconds()))
        found.wall.append(marks[-1][0] - marks[-2][0])
        found.cpu.append(marks[-1][1] - marks[-2][1])
        found.losses.append(loss)

    SIDES_OF[name](job, end_epoch)
    print(json.dumps(vars(found)))


def compare(script: str, folder: Path, *, rounds: int) -> dict[str, list[Epochs]]:
    """Every side's runs, taken in turn, each in a process and over a copy of the folder."""
    found: dict[str, list[Epochs]] = {name: [] for name in SIDES_OF}
    names = list(found)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            place = folder / f"{name}-{turn}"
            _make_folder(place)
            command = [sys.executable, "-W", "ignore", script, "--epochs", name, str(place)]
            text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name].append(Epochs(**json.loads(text.splitlines()[-1])))
    return found


def judge(verdict: measure.Verdict, found: dict[str, list[Epochs]], *, by: str) -> None:
    """Later epochs against each peer's; the first ones are told."""
    print(f"\n{'':10}{'first epoch':>24}{'second and later':>24}   loss")
    print(f"{'':10}{'wall s':>12}{'CPU s':>12}{'wall s':>12}{'CPU s':>12}")
    for name, runs in found.items():
        cells = [statistics.median(getattr(run, of)[0] for run in runs) for of in ("wall", "cpu")]
        cells += [statistics.median(_later(run, of) for run in runs) for of in ("wall", "cpu")]
        loss = statistics.median(run.losses[-1] for run in runs)
        print(f"{name:10}" + "".join(f"{cell:12.2f}" for cell in cells) + f"{loss:8.3f}")
        verdict.demand(loss < np.log(len(CLASSES)), f"{name} learns: loss {loss:.3f} in the end")
    print(f"medians of {len(found['foldwise'])} runs, sides in turn; seconds an epoch\n")
    for peer in ("timm", "fastai"):
        for of in ("wall", "cpu"):
            ratios = [
                _later(theirs, of) / _later(ours, of)
                for theirs, ours in zip(found[peer], found["foldwise"], strict=True)
            ]
            ratio = statistics.median(ratios)
            print(f"  {peer}, {of}: {ratio:.2f}x")
            if of == by:
                what = f"second and later epochs from a folder against {peer}, {of} seconds"
                verdict.targets.append(measure.Target(what, ratio, TARGET))


def _make_folder(place: Path) -> None:
    make_images(place / "images")
    lines = [f"{path.relative_to(place / 'images')},{path.parent.name}" for path in _paths(place)]
    (place / "train.csv").write_text("\n".join(["file,label", *lines]) + "\n")


def _paths(place: Path) -> list[Path]:
    return sorted((place / "images").glob("*/*.jpg"))


def _later(run: Epochs, of: str) -> float:
    seconds: list[float] = getattr(run, of)
    return statistics.mean(seconds[1:])


def _cpu_seconds() -> float:
    """Of this process and its workers, those that have ended included."""
    own = psutil.Process()
    times = [process.cpu_times() for process in [own, *own.children(recursive=True)]]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(each.user + each.system for each in times) + ended.ru_utime + ended.ru_stime
