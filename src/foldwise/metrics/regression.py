"""Metrics of decided numbers: mean absolute error and root mean squared error."""

from __future__ import annotations

import math

import numpy as np

from foldwise.metrics.metric import Metric, Reweighted, finite, mean_of


def mae(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean absolute error.

    Args:
        preds: (N,) float, or int grades.
        target: (N,) in the same unit.
        weight: (N,) float, or None for ones.

    Returns:
        Error of 0 or more, in the target's unit.

    Raises:
        ValueError: shapes differ or values are not finite.

    >>> mae(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    1.0
    """
    return prepare_mae(preds, target)(weight)


def rmse(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Root of the mean squared error.

    Args:
        preds: (N,) float, or int grades.
        target: (N,) in the same unit.
        weight: (N,) float, or None for ones.

    Returns:
        Error of 0 or more, in the target's unit.

    Raises:
        ValueError: shapes differ or values are not finite.
    """
    return prepare_rmse(preds, target)(weight)


def prepare_mae(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`mae` as a function of the weights."""
    return mean_of(np.abs(_errors(preds, target)))


def prepare_rmse(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`rmse` as a function of the weights."""
    mean_square = mean_of(np.square(_errors(preds, target)))
    return lambda weight: math.sqrt(mean_square(weight))


def _errors(preds: np.ndarray, target: np.ndarray) -> np.ndarray:
    if preds.shape != target.shape or preds.ndim != 1:
        raise ValueError(f"preds have shape {preds.shape}, targets {target.shape}")
    errors: np.ndarray = finite(preds, what="preds") - finite(target, what="targets")
    return errors


METRICS = {
    "mae": Metric(
        mae,
        higher_is_better=False,
        takes="answers",
        label="mean absolute error",
        words=("mean absolute error", "mean_absolute_error", "mae"),
        tasks=("regression", "ordinal"),
        lowest=0.0,
        prepare=prepare_mae,
    ),
    "rmse": Metric(
        rmse,
        higher_is_better=False,
        takes="answers",
        label="root mean squared error",
        words=(
            "root mean squared error",
            "root mean square error",
            "root-mean-squared-error",
            "root_mean_squared_error",
            "rmse",
        ),
        tasks=("regression", "ordinal"),
        lowest=0.0,
        prepare=prepare_rmse,
    ),
}
