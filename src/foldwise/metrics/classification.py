"""Metrics of decided classes: how many are right, of all rows, labels or classes."""

from __future__ import annotations

import numpy as np

from foldwise.metrics.metric import Metric, Reweighted, divide, mean_of
from foldwise.metrics.per_class import answers, prepare_class_counts, prepare_confusion_matrix


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
    return prepare_accuracy(preds, target)(weight)


def label_accuracy(
    preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Share of cells that are right, each label for itself: 1 minus the Hamming loss.

    Args:
        preds: (N, C) 0/1.
        target: (N, C) 0/1.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1].

    Raises:
        ValueError: shapes differ or values are not 0 or 1.

    >>> label_accuracy(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]]))
    0.75
    """
    return prepare_label_accuracy(preds, target)(weight)


def balanced_accuracy(
    preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Mean recall of the classes that occur in the target.

    With a column per class, 0 and 1 are two classes of each column, and the score is the
    columns' mean.

    Args:
        preds: (N,) int classes, or (N, C) 0/1.
        target: the same shape.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]; chance is one over the number of classes that occur.

    Raises:
        ValueError: shapes differ or values are not classes.
    """
    return prepare_balanced_accuracy(preds, target)(weight)


def prepare_accuracy(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`accuracy` as a function of the weights."""
    answers(preds, target)
    right = preds == target
    return mean_of((right if right.ndim == 1 else right.all(axis=1)).astype(np.float64))


def prepare_label_accuracy(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`label_accuracy` as a function of the weights."""
    answers(preds, target)
    if target.ndim != 2:
        raise ValueError(f"label accuracy takes a column per label, found shape {target.shape}")
    return mean_of((preds == target).mean(axis=1))


def prepare_balanced_accuracy(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`balanced_accuracy` as a function of the weights."""
    if target.ndim == 1:
        confusion = prepare_confusion_matrix(preds, target)
        return lambda weight: _mean_recall(confusion(weight))
    ones = prepare_class_counts(preds, target)
    zeros = prepare_class_counts(1 - preds, 1 - target)

    def columns_mean(weight: np.ndarray | None) -> float:
        found, support = (
            np.stack([count(weight)[part] for count in (zeros, ones)]) for part in (0, 2)
        )
        recall = divide(found, support, otherwise=0.0)
        return float((recall.sum(axis=0) / (support > 0).sum(axis=0)).mean())

    return columns_mean


def _mean_recall(confusion: np.ndarray) -> float:
    support = confusion.sum(axis=1)
    present = support > 0
    return float((confusion.diagonal()[present] / support[present]).mean())


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
        prepare=prepare_accuracy,
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
        tasks=("multiclass", "multilabel", "ordinal"),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_balanced_accuracy,
    ),
    "label_accuracy": Metric(
        label_accuracy,
        higher_is_better=True,
        takes="answers",
        label="label accuracy",
        words=("label accuracy", "label_accuracy", "mean label accuracy", "mean column accuracy"),
        tasks=("multilabel",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_label_accuracy,
    ),
}
