"""A competition of strips of steel on disk, and runs whose maps look like a network's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.data.folds_file import write_folds
from foldwise.home import Home
from foldwise.masks.of_samples import Masks, write_masks
from foldwise.masks.runs import encode
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.stages.training.keeping_maps import Keep, keep_maps
from foldwise.stages.training.unit import Unit
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem, open_problem

HEIGHT, WIDTH = 256, 1600
CLASSES = ("pit", "crack", "scratch", "patch")
NUM_FOLDS = 5
#: Of the pairs of image and class those with a defect, as among 12,568 strips of a competition.
SHOWN = (0.07, 0.02, 0.41, 0.06)
#: Shapes and noise that all images are put together from, each time moved and as strong as chance
#: has it.
_POOL = 48


class Strips:
    """Draws truths and maps, the same for the same row."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.truths = np.stack([_shape(rng) for _ in range(_POOL)])
        soft = [gaussian_filter(truth.astype(np.float32), 5) for truth in self.truths]
        self.soft = np.stack(soft)
        noise = rng.standard_normal((_POOL, HEIGHT, WIDTH)).astype(np.float32)
        self.noise = np.stack([gaussian_filter(each, 6) for each in noise])
        self.noise /= self.noise.std(axis=(1, 2), keepdims=True)

    def truth(self, row: int) -> np.ndarray:
        """(4, 256, 1600) bool."""
        found = np.zeros((len(CLASSES), HEIGHT, WIDTH), np.bool_)
        for index, share in enumerate(SHOWN):
            rng = np.random.default_rng([1, row, index])
            if rng.random() < share:
                found[index] = self._moved(self.truths, rng)
        return found

    def levels(self, row: int, seed: int) -> np.ndarray:
        """(4, 256, 1600) uint8: a defect blurred, more or less sure, and weak blobs anywhere."""
        found = np.zeros((len(CLASSES), HEIGHT, WIDTH), np.uint8)
        for index, share in enumerate(SHOWN):
            rng = np.random.default_rng([1, row, index])
            own = np.random.default_rng([2, row, index, seed])
            # Blobs of a few levels where a network is not quite sure that there is nothing.
            level = own.gamma(1.0, 6.0) * self._moved(self.noise, own) - own.uniform(5, 15)
            if rng.random() < share:
                level += own.uniform(60, 320) * self._moved(self.soft, rng)
            found[index] = level.clip(0, 255)
        return found

    def _moved(self, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        each = pool[rng.integers(_POOL)]
        return np.roll(each, (rng.integers(HEIGHT), rng.integers(WIDTH)), (0, 1))


def make_strips(home: Home, num: int) -> None:
    """The files before training: `num` train images in pairs that share a fold, a fifth for test.

    Args:
        home: an empty folder.
        num: train images.
    """
    values = {
        "name": "strips",
        "data": "data",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "images": {"kind": "path", "column": "path"},
        "columns": {"id": "id", "group": ["coil"]},
        "masks": {"kind": "runs", "column": "mask"},
        "task": "segmentation",
        "classes": list(CLASSES),
        "metric": "mean_dice",
    }
    write_yaml(home.competition, from_values(values, Competition, source="bench"))
    frame = _frame(num)
    samples_file.write(home.samples, Samples(frame))
    ids, coils = frame["id"][:num], np.arange(num) // 2
    write_folds(home.folds, ids, coils % NUM_FOLDS)
    write_csv(home.groups, pd.DataFrame({"id": ids, "group": coils.astype(str)}))
    strips = Strips()
    runs = encode(mask for row in range(num) for mask in strips.truth(row))
    write_masks(home.masks, ids, Masks(runs, len(CLASSES)))


def units_of(problem: Problem, name: str) -> list[Unit]:
    """The units of a run, a fold each."""
    run = RunDir(problem.home.runs / name)
    recipe = from_values({"model": {"name": "resnet18", "decoder": "fpn"}}, Recipe, source="bench")
    if not run.record.exists():
        record = {"kind": "recipe", "recipe": recipe.model_dump(mode="json"), "seeds": [0]}
        publish_json(run.record, {**record, "epochs": None, "commit": "bench"})
    return [Unit(problem, recipe, run, fold, 0, None) for fold in range(NUM_FOLDS)]


def write_unit(unit: Unit, strips: Strips) -> None:
    """The maps of a unit, as training writes them."""
    problem, seed = unit.problem, sum(map(ord, unit.run.name))
    num = len(problem.train)

    def drawn(rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
        return (strips.levels(row, seed) for row in rows.tolist())

    def valid(keep: Keep) -> None:
        keep(drawn(unit.valid_rows, seed))

    def test(keep: Keep) -> None:
        assert unit.fold is not None
        keep(drawn(num + np.arange(len(problem.test)), seed + 1 + unit.fold))

    samples, folder = problem.train.take(unit.valid_rows), unit.folder
    keep_maps(folder.valid, samples, problem.columns, valid, fold=unit.fold)
    keep_maps(folder.test, problem.test, problem.columns, test, fold=None)
    publish_json(folder.record, {"unit": folder.name})


def write_gate(problem: Problem, name: str) -> None:
    """A run of target presence that is mostly right about the train rows."""
    run, asked = RunDir(problem.home.runs / name), problem.presence
    rng = np.random.default_rng([3, len(problem.train)])
    oof, test = (
        (0.2 + 0.5 * shown + 0.2 * rng.standard_normal(shown.shape)).clip(0, 1)
        for shown in (asked.target, np.zeros((len(problem.test), len(CLASSES))))
    )
    ids, folds = problem.train.ids, problem.folds
    predictions_file.write(run.oof, Predictions(ids, oof, asked.columns, folds=folds))
    predictions_file.write(run.test, Predictions(problem.test.ids, test, asked.columns))
    values = {"model": {"name": "resnet18"}, "target": "presence"}
    recipe = from_values(values, Recipe, source="bench")
    record = {"kind": "recipe", "recipe": recipe.model_dump(mode="json"), "seeds": [0]}
    publish_json(run.record, {**record, "epochs": None, "commit": "bench"})


def open_strips(folder: Path) -> Problem:
    """The competition of `make_strips`."""
    return open_problem(Home(folder))


def _frame(num: int) -> pd.DataFrame:
    num_test = num // 5
    names = [f"{row:05d}" for row in range(num)] + [f"t{row:05d}" for row in range(num_test)]
    total = num + num_test
    return pd.DataFrame(
        {
            "id": np.array(names, dtype=object),
            "split": ["train"] * num + ["test"] * num_test,
            "file": [f"{name}.jpg" for name in names],
            "sha256": [f"hash of {name}" for name in names],
            "array": "",
            "row": -1,
            "table": ["train.csv"] * num + ["test.csv"] * num_test,
            "line": [*range(2, num + 2), *range(2, num_test + 2)],
            "height": HEIGHT,
            "width": WIDTH,
            "damaged": "",
            "cell:coil": [str(row // 2) for row in range(total)],
        }
    )


def _shape(rng: np.random.Generator) -> np.ndarray:
    """(256, 1600) bool: one to six blobs of unlike sizes."""
    found = np.zeros((HEIGHT, WIDTH), np.bool_)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for _ in range(rng.integers(1, 7)):
        down, across = (y - rng.integers(HEIGHT)), (x - rng.integers(WIDTH))
        angle = np.arctan2(down, across)
        edge = (
            1
            + 0.3 * np.sin(2 * angle + rng.uniform(0, 6))
            + 0.2 * np.sin(5 * angle + rng.uniform(0, 6))
        )
        tall, wide = rng.integers(6, 60), rng.integers(6, 90)
        found |= np.hypot(down / tall, across / wide) < edge
    return found
