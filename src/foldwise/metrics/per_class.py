"""Where the errors are: confusion matrix, precision and recall by class, and their curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldwise.metrics.metric import divide
from foldwise.metrics.ranking import one_vs_rest
from foldwise.row_weights import require_rows, row_weights

#: An array of counts as a function of the row weights.
Counted = Callable[[np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class PerClass:
    """(C,) float64 each; NaN where a class has no rows to speak of.

    Attributes:
        precision: right among those called the class; NaN if none was.
        recall: found among those of the class; NaN if there are none.
        f1: harmonic mean; NaN if the class is neither in target nor in preds.
        support: weight of the rows of the class.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


@dataclass(frozen=True)
class Curve:
    """Precision against recall of one class.

    Attributes:
        precision: (T,) share of the rows at or above the threshold that are of the class.
        recall: (T,) share of the class at or above the threshold, rising.
        thresholds: (T,) the distinct scores, falling.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray


def confusion_matrix(
    preds: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    num_classes: int | None = None,
) -> np.ndarray:
    """Weight of the rows by true class (rows) and decided class (columns).

    Args:
        preds: (N,) int in [0, num_classes).
        target: (N,) int in the same range.
        weight: (N,) float, or None for ones.
        num_classes: None for the highest index that occurs, plus 1.

    Returns:
        (C, C) float64.

    Raises:
        ValueError: not whole numbers, other shapes, or an index out of range.

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return prepare_confusion_matrix(preds, target, num_classes=num_classes)(weight)


def prepare_confusion_matrix(
    preds: np.ndarray, target: np.ndarray, *, num_classes: int | None = None
) -> Counted:
    """`confusion_matrix` as a function of the weights; finds each row's cell once."""
    answers(preds, target)
    if preds.ndim != 1:
        raise ValueError(f"a confusion matrix takes one class per row, found shape {preds.shape}")
    require_rows(len(target))
    decided, true = (values.astype(np.int64, copy=False) for values in (preds, target))
    # Seen as unsigned, a negative number is a huge one: one pass finds both ends.
    highest = max(int(values.view(np.uint64).max()) for values in (decided, true))
    size = highest + 1 if num_classes is None else num_classes
    if highest >= min(size, 2**63):
        low = int(min(decided.min(), true.min()))
        raise ValueError(f"classes must be in [0, {size}), found {low if low < 0 else highest}")
    cells = true * size
    cells += decided

    def confusion(weight: np.ndarray | None) -> np.ndarray:
        weights = None if weight is None else row_weights(weight, len(cells))
        counts = np.bincount(cells, weights=weights, minlength=size * size)
        return counts.reshape(size, size).astype(np.float64, copy=False)

    return confusion


def per_class(
    preds: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    num_classes: int | None = None,
) -> PerClass:
    """Precision, recall, F1 and support of each class.

    Args:
        preds: (N,) int decided classes, or (N, C) 0/1.
        target: the same shape.
        weight: (N,) float, or None for ones.
        num_classes: as in `confusion_matrix`; the number of columns for (N, C).

    Raises:
        ValueError: as `confusion_matrix`.
    """
    found, called, support = class_counts(preds, target, weight, num_classes=num_classes)
    return PerClass(
        precision=divide(found, called, otherwise=np.nan),
        recall=divide(found, support, otherwise=np.nan),
        f1=divide(2 * found, called + support, otherwise=np.nan),
        support=support,
    )


def class_counts(
    preds: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    num_classes: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight of the rows of each class that were found, called so, and truly so, (C,) each."""
    return prepare_class_counts(preds, target, num_classes=num_classes)(weight)


def prepare_class_counts(
    preds: np.ndarray, target: np.ndarray, *, num_classes: int | None = None
) -> Callable[[np.ndarray | None], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """`class_counts` as a function of the weights."""
    if target.ndim == 2:
        answers(preds, target)
        columns = np.stack([preds * target, preds, target]).astype(np.float64)

        def counts(weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            found, called, support = row_weights(weight, len(target)) @ columns
            return found, called, support

        return counts
    confusion = prepare_confusion_matrix(preds, target, num_classes=num_classes)

    def margins(weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        matrix = confusion(weight)
        return matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)

    return margins


def precision_recall_curves(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> list[Curve | None]:
    """The points of each class's curve, one a distinct score; None for a class without positives.

    Args:
        scores: (N, C) float, higher for surer.
        target: (N,) int class indices, or (N, C) 0/1.
        weight: (N,) float, or None for ones.

    Raises:
        ValueError: shapes or classes do not fit, or scores are not finite.
    """
    values, positive = one_vs_rest(scores, target)
    weights = row_weights(weight, len(values))
    present = weights > 0
    return [
        _curve(values[present, c], positive[present, c], weights[present])
        for c in range(values.shape[1])
    ]


def answers(preds: np.ndarray, target: np.ndarray) -> None:
    """Check that both are whole numbers of one shape, (N,) classes or (N, C) of 0/1.

    Raises:
        ValueError: they are not.
    """
    if preds.shape != target.shape or preds.ndim not in (1, 2):
        raise ValueError(f"preds have shape {preds.shape}, targets {target.shape}")
    for what, values in (("preds", preds), ("targets", target)):
        if values.dtype.kind not in "iub":
            raise ValueError(f"{what} must be whole numbers, found {values.dtype}")
        if values.ndim == 2 and values.size and (values.min() < 0 or values.max() > 1):
            raise ValueError(f"{what} with a column per class must be 0 or 1")


def _curve(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> Curve | None:
    if not positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    found = np.cumsum((weights * positive)[order])[ends]
    called = np.cumsum(weights[order])[ends]
    return Curve(precision=found / called, recall=found / found[-1], thresholds=ranked[ends])
