"""Training on images of CIFAR's size through foldwise's engine against airbench94's own loop.

The same network, batch and half precision on the first GPU; both hold the images on the device and
augment them there. Images are random, since images a second do not depend on what they show. The
first epoch is not counted. Without a GPU it runs as a smoke test, small and in fp32, whose ratio
says that both sides work and no more.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
import peer
import torch

from foldwise import device as machine
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import EpochEnd, fit
from foldwise.engine.fitting import fit_plan, fit_state, image_batches
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.tasks.problem import open_problem

CLASSES = [f"c{number}" for number in range(10)]
DEVICE = machine.pick()
IS_GPU = DEVICE.type == "cuda"
NUM, BATCH, EPOCHS, ROUNDS = (50_000, 1024, 6, 5) if IS_GPU else (128, 32, 3, 3)
HALF = torch.bfloat16 if IS_GPU else torch.float32
TARGET = 0.8

COMPETITION = f"""\
name: bench
data: data
tables: {{train: train.csv}}
images: {{kind: array, column: row, train: images.npz:train}}
columns: {{id: id, target: [label]}}
task: multiclass
classes: [{", ".join(CLASSES)}]
metric: accuracy
"""
RECIPE = f"""\
model: {{name: "peer:network"}}
input: {{size: 32, zoom: 1.0}}
augment: [{{name: shift, fraction: 0.0625}}, hflip]
loss: {{name: cross_entropy, label_smoothing: {peer.LABEL_SMOOTHING}}}
train: {{epochs: {EPOCHS}, batch: {BATCH}, lr: {peer.LR * BATCH}, workers: 2,
  optimizer: {{name: sgd, momentum: {peer.MOMENTUM}}}, layout: channels_last,
  precision: {"bf16" if IS_GPU else "fp32"}, lookahead: {{k: 5, alpha: 0.23}}}}
"""


def make_competition(folder: Path) -> Assembly:
    """Random images, prepared."""
    home, data = Home(folder), folder / "data"
    for needed in (data, home.recipes, home.code):
        needed.mkdir(parents=True)
    rng = np.random.default_rng(0)
    np.savez(data / "images.npz", train=rng.integers(0, 256, (NUM, 32, 32, 3), dtype=np.uint8))
    rows = [f"i{row:05d},{row},{CLASSES[row % len(CLASSES)]}" for row in range(NUM)]
    (data / "train.csv").write_text("\n".join(["id,row,label", *rows]) + "\n")
    shutil.copy(Path(peer.__file__), home.code)
    home.competition.write_text(COMPETITION)
    home.recipe("a").write_text(RECIPE)
    recipe = load_recipe(home, "a")
    prepare(home, inputs=[recipe.input], display=Display(quiet=True))
    return Assembly(open_problem(home), recipe)


def own_rate(assembly: Assembly) -> float:
    """Images a second through the engine, as a unit trains."""
    rows, rate = np.arange(NUM), Rate()
    plan = fit_plan(
        assembly,
        rows,
        DEVICE,
        batches=image_batches(assembly, rows, seed=0, fold=0, device=DEVICE),
        stages=assembly.stages(),
        seed=0,
        fold=0,
    )
    for event in fit(fit_state(assembly, assembly.network(), DEVICE), plan):
        if isinstance(event, EpochEnd):
            rate.end_epoch(event.loss)
    return rate.images_per_s(NUM)


def peer_rate(assembly: Assembly) -> float:
    """Images a second of airbench's loop, which drops what does not fill a batch."""
    problem, rate = assembly.problem, Rate()
    pixels = np.stack([assembly.feed.cache.get(sha) for sha in problem.train.hashes])
    images = torch.from_numpy(pixels).to(DEVICE).permute(0, 3, 1, 2)
    peer.train(
        assembly.network().to(DEVICE).normalize(images),
        assembly.encoded().to(DEVICE),
        batch=BATCH,
        epochs=EPOCHS,
        half=HALF,
        end_epoch=rate.end_epoch,
    )
    return rate.images_per_s(NUM // BATCH * BATCH)


class Rate:
    """Marks the ends of epochs; the first one warms up."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def end_epoch(self, loss: float) -> None:
        assert np.isfinite(loss)
        if IS_GPU:
            torch.cuda.synchronize()
        self._marks.append(time.perf_counter())

    def images_per_s(self, num: int) -> float:
        return num * (len(self._marks) - 1) / (self._marks[-1] - self._marks[0])


def main() -> int:
    measure.describe_machine()
    print((__doc__ or "").strip())
    print(
        f"\ndevice: {torch.cuda.get_device_name() if IS_GPU else 'none but the CPU: a smoke test'}"
    )
    sides: dict[str, Callable[[Assembly], float]] = {"airbench": peer_rate, "foldwise": own_rate}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    torch.backends.cudnn.benchmark = True
    with tempfile.TemporaryDirectory() as folder:
        assembly = make_competition(Path(folder) / "home")
        for _ in range(ROUNDS):
            for name, side in sides.items():
                torch.manual_seed(0)
                rates[name].append(side(assembly))
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"{name:10} {median:8.0f} images/s, {min(found):.0f} to {max(found):.0f}")
    pairs = zip(rates["foldwise"], rates["airbench"], strict=True)
    ratio = statistics.median(own / theirs for own, theirs in pairs)
    if not IS_GPU:
        print(f"ratio {ratio:.2f}; no verdict without a GPU")
        return 0
    verdict = measure.Verdict()
    verdict.targets.append(measure.Target("images/s against airbench's loop", ratio, TARGET))
    return verdict.exit_code()


if __name__ == "__main__":
    sys.exit(main())
