"""Metrics of decided classes between precision and recall: F-beta and macro F1."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldwise.metrics.metric import Metric, Reweighted, divide
from foldwise.metrics.per_class import prepare_class_counts


def f_beta(
    preds: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    beta: Annotated[float, Field(gt=0)] = 1.0,
    average: Literal["macro", "micro", "binary"] = "macro",
) -> float:
    """Harmonic mean of precision and recall, recall `beta` times as important.

    `macro` is the unweighted mean over classes: those that occur in target or preds; with a
    column per class, all columns, and one without positives in either counts 0 (scikit-learn
    with `zero_division=0`). `micro` counts the cells of all classes together; with one class per
    row it is the accuracy. `binary` is that of class 1 of two.

    Args:
        preds: (N,) int classes, or (N, C) 0/1; (N,) for `binary`.
        target: the same shape.
        weight: (N,) float, or None for ones.
        beta: 2 holds recall twice as important as precision, 0.5 half.
        average: over what.

    Returns:
        Score in [0, 1]; 0 where nothing is to be found and nothing was called.

    Raises:
        ValueError: shapes differ, values are not classes, or not two for `binary`.

    Source: van Rijsbergen (1979), "Information Retrieval", 2nd edition, chapter 7.

    >>> f_beta(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 1]), beta=2.0, average="binary")
    0.35714285714285715
    """
    return prepare_f_beta(preds, target, beta=beta, average=average)(weight)


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
    return prepare_macro_f1(preds, target)(weight)


def prepare_f_beta(
    preds: np.ndarray,
    target: np.ndarray,
    *,
    beta: float = 1.0,
    average: Literal["macro", "micro", "binary"] = "macro",
) -> Reweighted:
    """`f_beta` as a function of the weights."""
    has_columns = target.ndim == 2
    if average == "binary" and has_columns:
        raise ValueError(f"binary F-beta takes one class per row, found shape {target.shape}")
    counts = prepare_class_counts(preds, target, num_classes=2 if average == "binary" else None)

    def score(weight: np.ndarray | None) -> float:
        found, called, support = counts(weight)
        if average == "micro":
            found, called, support = found.sum(), called.sum(), support.sum()
        both = called + beta**2 * support
        f = divide((1 + beta**2) * found, both, otherwise=0.0)
        if average == "binary":
            return float(f[1])
        return float(f[both > 0].mean() if average == "macro" and not has_columns else f.mean())

    return score


def prepare_macro_f1(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`macro_f1` as a function of the weights."""
    return prepare_f_beta(preds, target)


METRICS = {
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
        prepare=prepare_macro_f1,
    ),
    "f_beta": Metric(
        f_beta,
        higher_is_better=True,
        takes="answers",
        label="F-beta",
        words=("f-beta", "f_beta", "fbeta", "f beta"),
        tasks=("multiclass", "multilabel", "ordinal"),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_f_beta,
    ),
}
