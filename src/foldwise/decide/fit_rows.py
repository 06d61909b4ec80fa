"""The rows that a decision is fitted on: checked, and without those of weight 0."""

from __future__ import annotations

import numpy as np

from foldwise.row_weights import row_weights


def fit_rows(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None, *, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, targets and weights of the rows that count.

    Args:
        scores: (N,) or (N, C) float.
        target: int in [0, num_classes), the same shape.
        weight: (N,) float, or None for ones.
        num_classes: 2 for a column per label.

    Returns:
        float64 scores, int64 targets, and (n,) float64 weights above 0.

    Raises:
        ValueError: no rows, shapes that do not fit, targets out of range.
    """
    weights = row_weights(weight, len(target))
    if np.shape(scores) != target.shape:
        raise ValueError(f"scores have shape {np.shape(scores)}, targets {target.shape}")
    if target.dtype.kind not in "iub":
        raise ValueError(f"targets must be whole numbers, found {target.dtype}")
    present = weights > 0
    chosen = slice(None) if present.all() else present
    values = np.asarray(scores, dtype=np.float64)[chosen]
    classes = target[chosen].astype(np.int64, copy=False)
    if classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(f"targets must be in [0, {num_classes})")
    return values, classes, weights[chosen]
