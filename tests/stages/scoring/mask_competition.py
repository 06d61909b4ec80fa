"""A small competition of masks on disk, and runs whose maps are the truth plus noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks, write_masks
from foldwise.masks.runs import decode, encode
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem, open_problem

CLASSES = ("hole", "crack")
NUM, NUM_TEST = 108, 6


def make_masks(folder: Path, *, exclusive: bool = False, **changes: Any) -> Problem:
    """108 samples of unlike sizes in 54 pairs and 3 folds; each class is in a third of the pairs.

    Where they are exclusive, each pixel has a class.
    """
    home = Home(folder)
    column = {"kind": "index", "exclusive": True} if exclusive else {"kind": "runs"}
    values = {
        "name": "small",
        "data": "data",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "images": {"kind": "path", "column": "path"},
        "columns": {"id": "id", "group": ["pair"]},
        "masks": {**column, "column": "mask"},
        "task": "segmentation",
        "classes": list(CLASSES),
        "metric": "mean_iou" if exclusive else "mean_dice",
        **changes,
    }
    folder.mkdir(parents=True)
    write_yaml(home.competition, from_values(values, Competition, source="test"))
    frame = _frame()
    samples_file.write(home.samples, Samples(frame))
    train = frame["split"] == "train"
    pairs = np.arange(NUM) // 2
    write_folds(home.folds, frame["id"][train], pairs // 3 % 3)
    write_csv(home.groups, pd.DataFrame({"id": frame["id"][train], "group": pairs.astype(str)}))
    write_masks(home.masks, frame["id"][train], _truths(frame[train], exclusive=exclusive))
    return open_problem(home)


def write_maps_run(
    problem: Problem, name: str, *, noise: float = 25.0, seed: int = 0, false_alarms: bool = False
) -> RunDir:
    """A run whose maps show the truth at half of its level, blurred, and noise.

    With false alarms every second sample shows what is not there as if it were.
    """
    run, target = RunDir(problem.home.runs / name), problem.target
    num_classes = problem.num_classes

    def read(row: int) -> np.ndarray:
        rng = np.random.default_rng([seed, row])
        truth = np.stack(decode(target[np.array([row])].runs)).astype(np.float64)
        if false_alarms and row % 2 == 0:
            truth[truth.sum(axis=(1, 2)) == 0, 1:9, 2:14] = 1.0
        blurred = gaussian_filter(truth, (0, 0.7, 0.7))
        rough = gaussian_filter(rng.standard_normal(truth.shape), (0, 1, 1))
        levels: np.ndarray = (20 + 90 * blurred + noise * rough).clip(0, 255).astype(np.uint8)
        return levels

    held_out = Maps(target.sizes, num_classes, np.arange(len(target)), read)
    test = held_out[np.arange(NUM_TEST)]
    columns = problem.columns
    predictions_file.write(
        run.oof,
        Predictions(problem.train.ids, held_out, columns, folds=problem.folds, kind="map"),
    )
    predictions_file.write(run.test, Predictions(problem.test.ids, test, columns, kind="map"))
    recipe = from_values({"model": {"name": "resnet18", "decoder": "fpn"}}, Recipe, source="test")
    record = {"kind": "recipe", "recipe": recipe.model_dump(mode="json"), "seeds": [0]}
    publish_json(run.record, {**record, "epochs": None, "commit": "abc"})
    return run


def _frame() -> pd.DataFrame:
    names = [f"s{number:02d}" for number in range(NUM)]
    tests = [f"t{number}" for number in range(NUM_TEST)]
    num = NUM + NUM_TEST
    heights = [10 + 2 * (number % 5) for number in range(num)]
    return pd.DataFrame(
        {
            "id": np.array([*names, *tests], dtype=object),
            "split": ["train"] * NUM + ["test"] * NUM_TEST,
            "file": [f"{name}.png" for name in [*names, *tests]],
            "sha256": [f"hash of {name}" for name in [*names, *tests]],
            "array": "",
            "row": -1,
            "table": ["train.csv"] * NUM + ["test.csv"] * NUM_TEST,
            "line": [*range(2, NUM + 2), *range(2, NUM_TEST + 2)],
            "height": heights,
            "width": 16,
            "damaged": "",
            "cell:pair": [str(number // 2) for number in range(num)],
        }
    )


def _truths(frame: pd.DataFrame, *, exclusive: bool) -> Masks:
    masks = []
    for number, height in enumerate(frame["height"]):
        pair = number // 2
        drawn = np.zeros((2, height, 16), bool)
        if pair % 3 == 0:
            drawn[0, 2:7, 3 : 6 + pair % 5] = True
        if pair % 3 == 1:
            drawn[1, 6:9, 4:14] = True
        if exclusive:
            drawn[1] = ~drawn[0]
        masks += list(drawn)
    return Masks(encode(masks), 2)


def write_presence_run(problem: Problem, name: str, *, noise: float = 0.2, seed: int = 0) -> RunDir:
    """A run of target presence whose scores are the truth, drawn in, plus noise."""
    run, asked = RunDir(problem.home.runs / name), problem.presence
    rng = np.random.default_rng(seed)

    def scores(truth: np.ndarray) -> np.ndarray:
        found: np.ndarray = 0.2 + 0.6 * truth + noise * rng.standard_normal(truth.shape)
        return found.clip(0, 1)

    held_out = Predictions(
        problem.train.ids, scores(asked.target), asked.columns, folds=problem.folds
    )
    predictions_file.write(run.oof, held_out)
    test = scores(asked.target[:NUM_TEST])
    predictions_file.write(run.test, Predictions(problem.test.ids, test, asked.columns))
    recipe = from_values({"model": {"name": "resnet18"}, "target": "presence"}, Recipe, source="t")
    record = {"kind": "recipe", "recipe": recipe.model_dump(mode="json"), "seeds": [0]}
    publish_json(run.record, {**record, "epochs": None, "commit": "abc"})
    return run
