"""Small competitions of masks on disk: images of several sizes, easy to see through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from foldwise.config.writing import write_yaml
from foldwise.home import Home
from foldwise.masks import IGNORED
from foldwise.masks.runs import encode
from foldwise.masks.text import write_cells
from foldwise.rundir import RunDir
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem

CLASSES = ("dot", "bar")
#: A network of one's own, in the competition's code: fast, and it answers pixel by pixel.
OWN = """from torch import nn

def pixels(*, num_outputs: int, channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.SiLU(),
        nn.Conv2d(16, num_outputs, 1),
    )
"""
SMALL_MASKS: dict[str, Any] = {
    "model": {"name": "nets:pixels"},
    "input": {"size": 32, "zoom": 1.0},
    "augment": ["hflip", {"name": "jitter", "brightness": 0.1}],
    "train": {"epochs": 2, "batch": 8, "lr": 1e-2, "workers": 0},
    "folds": "all",
}


def draw(num: int, *, seed: int = 0) -> list[np.ndarray]:
    """(2, H, W) bool of each sample: a dot, a bar, both or nothing; sides of 24 to 40 px."""
    rng = np.random.default_rng(seed)
    found = []
    for row in range(num):
        height, width = rng.integers(24, 41, 2)
        masks = np.zeros((2, height, width), bool)
        y, x = rng.integers(2, height - 10), rng.integers(2, width - 10)
        masks[0, y : y + 8, x : x + 8] = row % 4 in (1, 3)
        left = rng.integers(0, width - 4)
        masks[1, :, left : left + 4] = row % 4 in (2, 3)
        found.append(masks)
    return found


def picture(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8: dots in red, bars in green, on noise."""
    pixels = rng.normal(60, 10, (*masks.shape[1:], 3))
    pixels[:, :, :2] += 150 * masks.transpose(1, 2, 0)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def masks_home(
    folder: Path,
    recipe: dict[str, Any] = SMALL_MASKS,
    *,
    num_train: int = 32,
    num_test: int = 6,
    exclusive: bool = False,
    **competition: Any,
) -> Home:
    """A competition with raw data and one recipe `a`, nothing run yet.

    Args:
        folder: of it and of its data.
        recipe: in full.
        num_train: labelled samples.
        num_test: others.
        exclusive: each pixel has one class, `rest` among them, but for a corner that is not
            counted; else the two classes may overlap.
        competition: changes to competition.yaml.
    """
    raw, home = folder / "raw", Home(folder / "comp")
    raw.mkdir(parents=True)
    every, rng = draw(num_train + num_test), np.random.default_rng(1)
    names = [f"s{row:03d}" for row in range(len(every))]
    for name, masks in zip(names, every, strict=True):
        Image.fromarray(picture(masks, rng)).save(raw / f"{name}.png")
    labelled = names[:num_train], every[:num_train]
    train, masks = _index_table(raw, *labelled) if exclusive else _run_table(*labelled)
    train.to_csv(raw / "train.csv", index=False)
    tested = names[num_train:]
    pd.DataFrame({"id": tested, "path": [f"{name}.png" for name in tested]}).to_csv(
        raw / "test.csv", index=False
    )
    values = {
        "name": "small masks",
        "data": "../raw",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "images": {"kind": "path", "column": "path"},
        "columns": {"id": "id"},
        "masks": masks,
        "task": "segmentation",
        "classes": ["rest", *CLASSES] if exclusive else [*CLASSES],
        "metric": "mean_dice",
    }
    write_yaml(home.competition, {**values, **competition})
    write_yaml(home.plan, {"recipes": {"a": {}}, "folds": {"count": 2}})
    write_yaml(home.recipe("a"), recipe)
    home.code.mkdir(exist_ok=True)
    (home.code / "nets.py").write_text(OWN)
    return home


def masks_ready(folder: Path, recipe: dict[str, Any] = SMALL_MASKS, **changes: Any) -> Home:
    """The same, prepared and split into two folds."""
    home = masks_home(folder, recipe, **changes)
    prepare(home)
    split(home)
    return home


def masks_units(home: Home) -> list[Unit]:
    """The units of its recipe, whose run is recorded."""
    found = units_of(open_problem(home), load_recipe(home, "a"), RunDir(home.runs / "a"))
    record_run(found[0], (0,))
    return found


def _run_table(
    names: Sequence[str], every: Sequence[np.ndarray]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A row for each sample and class that is there, one row for a clean sample."""
    rows = []
    for name, masks in zip(names, every, strict=True):
        there = [index for index in range(2) if masks[index].any()]
        cells = write_cells(encode(masks))
        rows += [(name, f"{name}.png", CLASSES[index], cells[index]) for index in there]
        rows += [] if there else [(name, f"{name}.png", "", "")]
    frame = pd.DataFrame(rows, columns=["id", "path", "kind", "rle"])
    return frame, {"kind": "runs", "column": "rle", "class_column": "kind", "clean": [""]}


def _index_table(
    raw: Path, names: Sequence[str], every: Sequence[np.ndarray]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    for name, masks in zip(names, every, strict=True):
        pixels = np.where(masks[1], 2, masks[0]).astype(np.uint8)
        pixels[:5, :5] = IGNORED
        Image.fromarray(pixels).save(raw / f"{name}-mask.png")
    frame = pd.DataFrame(
        {
            "id": list(names),
            "path": [f"{name}.png" for name in names],
            "mask": [f"{name}-mask.png" for name in names],
        }
    )
    return frame, {"kind": "index", "column": "mask", "exclusive": True, "ignored": [IGNORED]}
