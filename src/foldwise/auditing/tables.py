"""Tables of classes and image sizes, and whether size alone gives the label away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

#: A gain over the majority from which size alone is a severe shortcut, and one worth a note.
_SEVERE_GAIN, _NOTABLE_GAIN = 0.10, 0.03
#: A gain must also be this many standard errors above nothing.
_MIN_Z = 3.0


@dataclass(frozen=True)
class SizeShortcut:
    """How well image size alone predicts the label.

    Attributes:
        majority: accuracy of always saying the commonest label.
        plain: accuracy of the commonest label of each size, fitted and scored on the same rows
            (what write-ups quote; near 1 wherever sizes are all different).
        left_out: the same with each row left out of its own size's count; the level goes by it.
        num_sizes: different sizes.
        level: "severe" from 0.10 above the majority, "notable" from 0.03, and at least 3 standard
            errors of the paired difference; else "none".
        note: a sentence for the user, empty at level "none".
    """

    majority: float
    plain: float
    left_out: float
    num_sizes: int
    level: Literal["none", "notable", "severe"]
    note: str


def class_counts(labels: Sequence[object]) -> pd.DataFrame:
    """Rows of each class, the commonest first.

    Returns:
        Columns label, count and share (of all rows, in [0, 1]).

    >>> class_counts(["cat", "cow", "cow", "cow"])["share"].tolist()
    [0.75, 0.25]
    """
    counts = pd.Series(np.asarray(labels, dtype=object)).astype(str).value_counts(sort=False)
    table = counts.rename_axis("label").reset_index(name="count")
    table = table.sort_values(["count", "label"], ascending=[False, True], ignore_index=True)
    return table.assign(share=table["count"] / max(int(table["count"].sum()), 1))


def size_by_class(sizes: np.ndarray, labels: Sequence[object]) -> pd.DataFrame:
    """Rows of each image size and class, the commonest size first.

    Args:
        sizes: (N, 2) int, width and height in pixels.
        labels: N labels.

    Returns:
        Index (width, height); columns `rows`, then one a class, in order of the labels.

    >>> size_by_class(np.array([[4, 3], [4, 3], [5, 5]]), ["a", "b", "b"]).loc[(4, 3)].tolist()
    [2, 1, 1]
    """
    frame = pd.DataFrame({"width": sizes[:, 0], "height": sizes[:, 1], "label": list(labels)})
    table = frame.groupby(["width", "height", "label"]).size().unstack(fill_value=0)
    table.columns = pd.Index([str(label) for label in table.columns])
    table.insert(0, "rows", table.sum(axis=1))
    return table.sort_values("rows", ascending=False, kind="stable")


def find_size_shortcut(sizes: np.ndarray, labels: Sequence[object]) -> SizeShortcut:
    """Measure how far image size gives the label away.

    Leaving a row out of its own size's count keeps sizes that occur once from looking like
    perfect predictors: such a row gets the commonest label of all.

    Args:
        sizes: (N, 2) int, width and height in pixels, N >= 1.
        labels: N classes.
    """
    size_of = np.unique(sizes, axis=0, return_inverse=True)[1]
    label_of, names = pd.factorize(
        pd.Series(np.asarray(labels, dtype=object)).astype(str), sort=True
    )
    table = np.zeros((size_of.max() + 1, len(names)), dtype=np.int64)
    np.add.at(table, (size_of, label_of), 1)
    commonest = table.sum(0).argmax()
    said_always = label_of == commonest
    majority, plain = float(said_always.mean()), float(table.max(1).sum() / len(label_of))
    said_left_out = _leave_one_out(table, size_of, label_of, int(commonest)) == label_of
    gains = said_left_out.astype(np.float64) - said_always
    gain, error = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
    level: Literal["none", "notable", "severe"] = "none"
    if gain >= _NOTABLE_GAIN and gain >= _MIN_Z * error:
        level = "severe" if gain >= _SEVERE_GAIN else "notable"
    note = (
        f"{level} shortcut: image size alone predicts the label with accuracy "
        f"{majority + gain:.3f} (each row left out; {plain:.3f} on the same rows), "
        f"always {names[commonest]} with {majority:.3f}: the network may learn where an image "
        "comes from; fold by size, or resize so that it cannot be seen"
    )
    return SizeShortcut(
        majority=majority,
        plain=plain,
        left_out=majority + gain,
        num_sizes=len(table),
        level=level,
        note="" if level == "none" else note,
    )


def _leave_one_out(
    table: np.ndarray, size_of: np.ndarray, label_of: np.ndarray, commonest: int
) -> np.ndarray:
    """The commonest label among the other rows of a row's size; of equals, the commonest of all."""
    overall = table.sum(0) / (table.sum() + 1)  # Below 1, so it only breaks ties.
    scores = table[size_of] + overall
    scores[np.arange(len(label_of)), label_of] -= 1
    alone = table.sum(1)[size_of] == 1
    return np.where(alone, commonest, scores.argmax(1))
