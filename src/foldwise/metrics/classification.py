"""Metrics of decided classes: accuracy, balanced accuracy and macro F1."""

from __future__ import annotations

import numpy as np

from foldwise.metrics.metric import Metric, divide, row_weights
from foldwise.metrics.per_class import answers, class_counts, confusion_matrix


def accuracy(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Share of rows that are right; with a column per class, right in all columns.

    Args:
        preds: (N,) int classes, or (N, C) 0/1.
        target: the same shape.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1].

    Raises:
        ValueError: shapes differ or values are not whole numbers.

    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]))
    0.75
    """
    answers(preds, target)
    right = preds == target
    rows = right if right.ndim == 1 else right.all(axis=1)
    return float(np.average(rows, weights=row_weights(weight, len(target))))


def balanced_accuracy(
    preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Mean recall of the classes that occur in the target.

    Args:
        preds: (N,) int classes.
        target: (N,) int classes.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]; chance is one over the number of classes.

    Raises:
        ValueError: shapes differ or values are not classes.
    """
    confusion = confusion_matrix(preds, target, weight)
    support = confusion.sum(axis=1)
    present = support > 0
    return float((confusion.diagonal()[present] / support[present]).mean())


def macro_f1(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Unweighted mean of the classes' F1.

    The classes are those that occur in target or preds; with a column per class, all columns,
    and one without positives in either counts 0 (scikit-learn with `zero_division=0`).

    Args:
        preds: (N,) int classes, or (N, C) 0/1.
        target: the same shape.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1].

    Raises:
        ValueError: shapes differ or values are not classes.
    """
    found, called, support = class_counts(preds, target, weight)
    both = called + support
    f1 = divide(2 * found, both, otherwise=0.0)
    return float(f1.mean() if target.ndim == 2 else f1[both > 0].mean())


METRICS = {
    "accuracy": Metric(
        accuracy,
        higher_is_better=True,
        takes="answers",
        label="accuracy",
        words=("accuracy", "categorization accuracy", "percentage of correct", "share correct"),
        tasks=("multiclass", "multilabel", "ordinal"),
        lowest=0.0,
        highest=1.0,
    ),
    "balanced_accuracy": Metric(
        balanced_accuracy,
        higher_is_better=True,
        takes="answers",
        label="balanced accuracy",
        words=(
            "balanced accuracy",
            "balanced multi-class accuracy",
            "balanced multiclass accuracy",
            "mean class accuracy",
            "mean per-class accuracy",
            "mean per-class recall",
            "macro recall",
            "macro-averaged recall",
            "unweighted average recall",
        ),
        tasks=("multiclass", "ordinal"),
        lowest=0.0,
        highest=1.0,
    ),
    "macro_f1": Metric(
        macro_f1,
        higher_is_better=True,
        takes="answers",
        label="macro F1",
        words=(
            "macro f1",
            "macro-f1",
            "macro_f1",
            "f1 macro",
            "f1-macro",
            "f1_macro",
            "macro f1-score",
            "macro averaged f1",
            "macro-averaged f1",
            "macro f-score",
        ),
        tasks=("multiclass", "multilabel", "ordinal"),
        lowest=0.0,
        highest=1.0,
    ),
}
