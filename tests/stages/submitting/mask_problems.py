"""Prepared competitions of masks, with test samples of several sizes and made-up answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.writing import write_yaml
from foldwise.home import Home
from foldwise.masks.of_samples import Masks, write_masks
from foldwise.masks.runs import encode
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem, open_problem

#: Test sample → height and width.
SIZES = {"a_1": (3, 4), "b": (2, 5), "c": (4, 4)}
#: Train sample → the same.
TRAIN = {"t_1": (4, 4), "t_2": (2, 3)}
CLASSES = ("crack", "hole")


def make_problem(
    folder: Path,
    *,
    sample: Mapping[str, Sequence[str]] | None = None,
    damaged: Sequence[str] = (),
    masks: Mapping[str, Any] | None = None,
    classes: Sequence[str] = CLASSES,
    **submission: Any,
) -> Problem:
    """With a sample submission of these columns, and keys of `masks` and `submission` changed."""
    (folder / "data").mkdir(parents=True)
    tables: dict[str, str | None] = {"train": "train.csv", "test": "test.csv"}
    if sample is not None:
        rows = [",".join(sample), *(",".join(row) for row in zip(*sample.values(), strict=True))]
        (folder / "data" / "sample.csv").write_text("\n".join(rows) + "\n")
        tables["sample_submission"] = "sample.csv"
    values = {
        "name": "small",
        "data": "data",
        "tables": tables,
        "images": {"kind": "path", "column": "path"},
        "columns": {"id": "id"},
        "masks": masks or {"kind": "runs", "column": "rle", "class_column": "kind"},
        "task": "segmentation",
        "classes": list(classes),
        "metric": "mean_dice",
        "submission": submission,
    }
    home = Home(folder)
    write_yaml(home.competition, from_values(values, Competition, source="test"))
    samples_file.write(home.samples, Samples(_frame(damaged)))
    if len(classes) == len(CLASSES):
        write_masks(
            home.masks, list(TRAIN), _truths(exclusive=(masks or {}).get("exclusive", False))
        )
    return open_problem(home)


def by_number(**changes: Any) -> dict[str, Any]:
    """Classes that cells call 1 and 2."""
    values = {"1": "crack", "2": "hole"}
    return {
        "kind": "runs",
        "column": "rle",
        "class_column": "kind",
        "values": values,
        **changes,
    }


def index(**changes: Any) -> dict[str, Any]:
    """Images whose pixels are 7 and 3."""
    values = {"7": "crack", "3": "hole"}
    return {
        "kind": "index",
        "column": "mask",
        "exclusive": True,
        "ignored": [9],
        "values": values,
        **changes,
    }


def answers(*, exclusive: bool = False, samples: Sequence[str] = tuple(SIZES)) -> Masks:
    """Two masks of each sample; `b` has no crack. Exclusive ones fill the image."""
    pixels = []
    for name in samples:
        crack = np.zeros(SIZES[name], np.uint8)
        crack[1:, 0] = name != "b"
        hole = np.zeros(SIZES[name], np.uint8)
        hole[0, :2] = 1
        pixels += [crack, 1 - crack if exclusive else hole]
    return Masks(encode(pixels), len(CLASSES))


def _frame(damaged: Sequence[str]) -> pd.DataFrame:
    sizes = {**TRAIN, **{name: (0, 0) if name in damaged else SIZES[name] for name in SIZES}}
    splits = ["train"] * len(TRAIN) + ["test"] * len(SIZES)
    return pd.DataFrame(
        {
            "id": list(sizes),
            "split": splits,
            "table": [f"{split}.csv" for split in splits],
            "line": [*range(2, 2 + len(TRAIN)), *range(2, 2 + len(SIZES))],
            "file": [f"images/{name}.png" for name in sizes],
            "array": "",
            "row": -1,
            "height": [height for height, _ in sizes.values()],
            "width": [width for _, width in sizes.values()],
            "damaged": ["torn" if name in damaged else "" for name in sizes],
        }
    )


def _truths(*, exclusive: bool) -> Masks:
    """Of train: a pixel of crack in one; where every pixel has a class, the others are of hole."""
    pixels = []
    for name, size in TRAIN.items():
        crack = np.zeros(size, np.uint8)
        crack[0, 0] = name == "t_1"
        pixels += [crack, 1 - crack if exclusive else np.zeros_like(crack)]
    return Masks(encode(pixels), 2)
