"""Where the errors are: by class, by group, and in single samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise.masks.of_samples import Masks
from foldwise.metrics.per_class import (
    Curve,
    confusion_matrix,
    per_class,
    precision_recall_curves,
)
from foldwise.metrics.ranking import class_average_precision, class_roc_auc
from foldwise.seeding import key, permutation
from foldwise.stages.scoring.held_out import HeldOut

_MAX_POINTS = 200
_MAX_WORST = 20
_MAX_WELL = 8
_MAX_GROUPS = 20
_MAX_SCATTER = 500
_MAX_SCORES = 5
#: Below so many groups there is no interval, and every group is shown instead.
_ALL_GROUPS = 20


def error_tables(held: HeldOut) -> dict[str, Any]:
    """The parts of `scores.json` that say where the errors are; every row counts once."""
    return {
        "by_class": by_class(held),
        "confusion": confusion(held),
        "curves": curves(held),
        "scatter": scatter(held),
        "by_group": by_group(held),
        **samples(held),
    }


def by_class(held: HeldOut) -> list[dict[str, Any]]:
    """Precision, recall and F1 of the answers by class, and how well its scores rank."""
    names = held.problem.competition.classes
    if not held.problem.task.has_classes:
        return []
    found = per_class(held.answers, held.target, num_classes=len(names))
    columns = {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
    }
    if _has_score_per_class(held):
        scores = held.decided_scores
        columns["average_precision"] = class_average_precision(scores, held.target)
        columns["roc_auc"] = class_roc_auc(scores, held.target)
    return [
        {
            "class": name,
            "rows": int(found.support[index]),
            **{column: float(values[index]) for column, values in columns.items()},
        }
        for index, name in enumerate(names)
    ]


def confusion(held: HeldOut) -> dict[str, Any] | None:
    """Number of rows by true class (rows) and answer (columns)."""
    if not held.problem.task.one_of_classes:
        return None
    names = held.problem.competition.classes
    counts = confusion_matrix(held.answers, held.target, num_classes=len(names))
    return {"labels": list(names), "counts": counts.astype(int).tolist()}


def curves(held: HeldOut) -> list[dict[str, Any]]:
    """Precision against recall of each class, at most 200 points each."""
    if not _has_score_per_class(held):
        return []
    found = precision_recall_curves(held.decided_scores, held.target)
    names = held.problem.competition.classes
    return [
        {"class": name, **_points(curve)}
        for name, curve in zip(names, found, strict=True)
        if curve is not None
    ]


def scatter(held: HeldOut) -> list[list[float]]:
    """(truth, score) of up to 500 random rows, where one score says how much."""
    if held.scores.shape[1] != 1:
        return []
    rows = np.sort(permutation(key("scatter"), len(held))[:_MAX_SCATTER])
    truth = held.problem.one_hot[held.rows][rows, 0]
    return [[float(a), float(b)] for a, b in zip(truth, held.scores[rows, 0], strict=True)]


def by_group(held: HeldOut) -> dict[str, Any] | None:
    """The groups with the worst rows; all of them where they are too few for an interval."""
    every = held.problem.column_groups
    if every is None:
        every = held.problem.groups
        if every is None or len(np.unique(every)) >= _ALL_GROUPS:
            return None  # Groups of duplicates have no name that would say anything.
    groups = every[held.rows]
    names, number = np.unique(groups, return_inverse=True)
    off = distances(held)
    mean_off = np.bincount(number, weights=off) / np.bincount(number)
    order = np.argsort(-mean_off, kind="stable")
    shown = order if len(names) < _ALL_GROUPS else order[:_MAX_GROUPS]
    return {
        "columns": list(held.problem.competition.columns.group),
        "num_groups": len(names),
        "groups": [_group(held, names[g], number == g, float(mean_off[g])) for g in shown],
    }


def samples(held: HeldOut) -> dict[str, Any]:
    """The worst samples, and a few random ones among those answered rightly and surely."""
    off = distances(held)
    worst = np.argsort(-off, kind="stable")[:_MAX_WORST]
    right = _is_right(held)
    good = np.flatnonzero(right & (off <= np.median(off)))
    well = np.sort(good[permutation(key("well"), len(good))[:_MAX_WELL]])
    return {
        "worst": [_sample(held, row, off) for row in worst],
        "well": [_sample(held, row, off) for row in well],
    }


def distances(held: HeldOut) -> np.ndarray:
    """(n,) how far each row's scores are from perfect ones, summed over columns.

    For classes twice the probability that is not on the true one, for numbers and grades the
    absolute error, for labels the sum over all of them.
    """
    off: np.ndarray = np.abs(held.scores - held.problem.one_hot[held.rows]).sum(axis=1)
    return off


def in_words(values: np.ndarray | Masks, classes: tuple[str, ...]) -> list[str]:
    """Targets or answers as a person reads them; of masks the classes that are there.

    >>> in_words(np.array([[1, 0], [1, 1], [0, 0]]), ("cat", "dog"))
    ['cat', 'cat, dog', 'none']
    """
    values = values.present if isinstance(values, Masks) else values
    if values.ndim == 2:
        return [
            ", ".join(n for n, on in zip(classes, row, strict=True) if on) or "none"
            for row in values
        ]
    if classes:
        return [classes[index] for index in values]
    return [f"{value:.6g}" for value in values]


def _has_score_per_class(held: HeldOut) -> bool:
    return held.problem.columns == held.problem.competition.classes


def _points(curve: Curve) -> dict[str, list[float]]:
    last = len(curve.recall) - 1
    wanted = np.linspace(0, curve.recall[last], _MAX_POINTS)
    places = np.unique(np.minimum(np.searchsorted(curve.recall, wanted), last))
    return {
        "precision": curve.precision[places].tolist(),
        "recall": curve.recall[places].tolist(),
        "thresholds": curve.thresholds[places].tolist(),
    }


def _group(held: HeldOut, name: str, inside: np.ndarray, mean_off: float) -> dict[str, Any]:
    part = held.among(inside)
    try:
        score: float | None = part.score(held.problem.metric)
    except ValueError:
        score = None
    return {
        "group": str(name).replace("\x1f", " / "),
        "rows": int(inside.sum()),
        "score": score,
        "distance": mean_off,
    }


def _is_right(held: HeldOut) -> np.ndarray:
    """(n,) whether the answer is the truth; numbers: nearer than in half of the rows."""
    if not held.problem.task.has_classes:
        off = distances(held)
        return np.asarray(off <= np.median(off))
    same = held.answers == held.target
    return np.asarray(same if same.ndim == 1 else same.all(axis=1))


def _sample(held: HeldOut, row: int, off: np.ndarray) -> dict[str, Any]:
    classes = held.problem.competition.classes
    one = held.among(np.array([row]))
    scores = one.scores[0]
    top = np.argsort(-scores, kind="stable")[:_MAX_SCORES]
    return {
        "id": str(held.problem.train.ids[one.rows[0]]),
        "fold": int(one.folds[0]),
        "label": in_words(one.target, classes)[0],
        "answer": in_words(one.answers, classes)[0],
        "distance": float(off[row]),
        "scores": {held.problem.columns[c]: float(scores[c]) for c in top},
    }
