"""Metrics of decided grades: quadratic weighted kappa."""

from __future__ import annotations

import numpy as np

from foldwise.metrics.metric import Metric, Reweighted
from foldwise.metrics.per_class import prepare_confusion_matrix


def qwk(
    preds: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    num_grades: int | None = None,
) -> float:
    """Agreement beyond chance, disagreements weighted by squared distance.

    Args:
        preds: (N,) int, decided grades in [0, num_grades).
        target: (N,) int, true grades in the same range.
        weight: (N,) float, or None for ones.
        num_grades: None for the highest grade that occurs, plus 1. Grades that do not occur
            leave the value as it is; giving it only refuses grades out of range.

    Returns:
        Score in [-1, 1]: 1 is perfect, 0 is chance.

    Raises:
        ValueError: all predictions and targets are one grade, so kappa is undefined; or a grade
            is out of range.

    Source: Cohen (1968), "Weighted kappa", Psychological Bulletin 70(4), 213-220.

    >>> qwk(np.array([0, 1, 2]), np.array([0, 1, 2]), num_grades=3)
    1.0
    """
    return prepare_qwk(preds, target, num_grades=num_grades)(weight)


def prepare_qwk(
    preds: np.ndarray, target: np.ndarray, *, num_grades: int | None = None
) -> Reweighted:
    """`qwk` as a function of the weights."""
    confusion = prepare_confusion_matrix(preds, target, num_classes=num_grades)
    return lambda weight: _kappa(confusion(weight))


def _kappa(confusion: np.ndarray) -> float:
    grades = np.arange(len(confusion))
    distance = np.square(grades[:, None] - grades)
    true, decided = confusion.sum(axis=1), confusion.sum(axis=0)
    by_chance = true @ distance @ decided / confusion.sum()
    if by_chance == 0:
        raise ValueError("all predictions and targets are one grade, so kappa is undefined")
    return float(1 - (confusion * distance).sum() / by_chance)


METRICS = {
    "qwk": Metric(
        qwk,
        higher_is_better=True,
        takes="answers",
        label="quadratic weighted kappa",
        words=(
            "quadratic weighted kappa",
            "quadratically weighted kappa",
            "quadratic-weighted kappa",
            "quadratic kappa",
            "qwk",
        ),
        tasks=("ordinal",),
        lowest=-1.0,
        highest=1.0,
        prepare=prepare_qwk,
    ),
}
