"""Metrics that read probabilities: log loss."""

from __future__ import annotations

import numpy as np

from foldwise.metrics.metric import Metric, Reweighted, finite, mean_of
from foldwise.row_weights import require_rows


def log_loss(
    preds: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    clip: float = 1e-15,
) -> float:
    """Mean negative log probability of what is true.

    One class per row: rows are divided by their sum first, then the true class's probability is
    clipped. A column per class: the mean over columns of their binary log losses, columns taken
    as they are.

    Args:
        preds: (N, C) float of 0 or more; (N, 1) is the probability of class 1 of two.
        target: (N,) int classes, or (N, C) 0/1.
        weight: (N,) float, or None for ones.
        clip: probabilities are moved into [clip, 1 - clip].

    Returns:
        Loss in [0, -log(clip)], in nats.

    Raises:
        ValueError: shapes or classes do not fit, or preds are not probabilities.

    >>> round(log_loss(np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([0, 1])), 4)
    0.4581
    """
    return prepare_log_loss(preds, target, clip=clip)(weight)


def prepare_log_loss(preds: np.ndarray, target: np.ndarray, *, clip: float = 1e-15) -> Reweighted:
    """`log_loss` as a function of the weights; takes the rows' logarithms once."""
    require_rows(len(target))
    probs = finite(preds, what="preds")
    _check_probs(probs, target)
    if target.ndim == 2:
        true = np.where(target > 0, probs, 1 - probs)
        return mean_of(-np.log(np.clip(true, clip, 1 - clip)).mean(axis=1))
    return mean_of(-np.log(np.clip(_true_class_probs(probs, target), clip, 1 - clip)))


def _true_class_probs(probs: np.ndarray, target: np.ndarray) -> np.ndarray:
    if probs.shape[1] == 1:
        return np.where(target == 1, probs[:, 0], 1 - probs[:, 0])
    sums = probs.sum(axis=1)
    if not sums.all():
        raise ValueError(f"{(sums == 0).sum()} rows of preds sum to 0: not probabilities")
    true: np.ndarray = probs[np.arange(len(target)), target] / sums
    return true


def _check_probs(probs: np.ndarray, target: np.ndarray) -> None:
    fits = probs.shape == target.shape if target.ndim == 2 else probs.shape[:1] == target.shape
    if probs.ndim != 2 or not fits:
        raise ValueError(f"preds have shape {probs.shape}, targets {target.shape}")
    if target.dtype.kind not in "iub":
        raise ValueError(f"targets must be whole numbers, found {target.dtype}")
    num_values = 2 if target.ndim == 2 else max(2, probs.shape[1])
    if target.min() < 0 or target.max() >= num_values:
        raise ValueError(f"targets must be in [0, {num_values})")
    rescaled = target.ndim == 1 and probs.shape[1] > 1
    if probs.min() < 0 or (not rescaled and probs.max() > 1):
        raise ValueError(
            f"log loss needs probabilities, found values in [{probs.min():g}, {probs.max():g}]"
        )


METRICS = {
    "log_loss": Metric(
        log_loss,
        higher_is_better=False,
        takes="scores",
        label="log loss",
        words=(
            "log loss",
            "log-loss",
            "logloss",
            "log_loss",
            "logarithmic loss",
            "multi class log loss",
            "multi-class log loss",
            "multiclass log loss",
            "cross entropy",
            "cross-entropy",
        ),
        tasks=("multiclass", "multilabel"),
        lowest=0.0,
        prepare=prepare_log_loss,
    ),
}
