"""A small competition of real PNG files, prepared and split by the real stages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.doctor import Finding, doctor
from foldwise.stages.prepare import prepare
from foldwise.stages.split import split

CLASSES = ("ape", "bear", "cow")
_NUM_TRAIN, _NUM_TEST = 60, 12
QUIET = Display(console=Console(quiet=True), quiet=True)

COMPETITION = """\
name: small
data: data
tables: {train: train.csv, test: test.csv, sample_submission: sample.csv}
images: {kind: path, column: file}
columns:
  id: id
  target: [label]
task: multiclass
classes: [ape, bear, cow]
metric: log_loss
submission: {gives: scores}
"""

PLAN = """\
recipes:
  a: {}
folds:
  count: 3
seeds: [0]
blends: {}
submit: best
"""

RECIPE = """\
model:
  name: small_cnn
  options: {widths: [8, 16]}
input:
  size: 24
augment: [crop, jitter]
train:
  epochs: 4
  batch: 16
  lr: 2e-3
"""


def make_clinic(folder: Path, *, ready: bool = True) -> Home:
    """The competition; `ready`: prepared and split."""
    rng = np.random.default_rng(3)
    data = folder / "data"
    data.mkdir(parents=True)
    rows = []
    for index in range(_NUM_TRAIN + _NUM_TEST):
        label = index % len(CLASSES)
        image = rng.integers(0, 120, (24, 24, 3)).astype(np.uint8)
        image[:, :, label] += 100
        Image.fromarray(image).save(data / f"{index:03d}.png")
        grade, patient = index % 3, f"p{index // 3}"
        rows.append(f"i{index:03d},{index:03d}.png,{CLASSES[label]},{grade},{patient},{index},one")
    head = "id,file,label,grade,patient,moment,hospital\n"
    (data / "train.csv").write_text(head + "\n".join(rows[:_NUM_TRAIN]) + "\n")
    test = [",".join(row.split(",")[:2]) for row in rows[_NUM_TRAIN:]]
    (data / "test.csv").write_text("id,file\n" + "\n".join(test) + "\n")
    sample = [f"{row.split(',')[0]},0.3,0.3,0.4" for row in test]
    (data / "sample.csv").write_text("id,ape,bear,cow\n" + "\n".join(sample) + "\n")
    home = Home(folder)
    home.recipes.mkdir()
    home.competition.write_text(COMPETITION)
    home.plan.write_text(PLAN)
    home.recipe("a").write_text(RECIPE)
    if ready:
        prepare(home, display=QUIET)
        split(home, display=QUIET)
    return home


def examine(home: Home, *overrides: str, trial: bool = False, **options: Any) -> list[Finding]:
    """The doctor's findings on recipe a."""
    return doctor(home, "a", overrides=overrides, trial=trial, display=QUIET, **options)


def rules(found: list[Finding]) -> set[str]:
    """Ids of the rules that found something."""
    return {finding.rule for finding in found}


def edit(path: Path, old: str, new: str) -> None:
    """Replace a line's part in a file that holds it once."""
    text = path.read_text()
    assert text.count(old) == 1, (old, text)
    path.write_text(text.replace(old, new))


def spoken(home: Home, recipe: str | None = None, *, trial: bool = False) -> str:
    """What the doctor prints."""
    console = Console(file=io.StringIO(), width=400)
    doctor(home, recipe, trial=trial, display=Display(console=console))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]
