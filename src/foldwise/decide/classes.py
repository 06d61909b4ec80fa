"""Deciding classes: the surest one, or all above their thresholds."""

from __future__ import annotations

import numpy as np

from foldwise.errors import ConfigError


def argmax(scores: np.ndarray) -> np.ndarray:
    """The class with the highest score; of equal ones the first.

    Args:
        scores: (N, C) float.

    Returns:
        (N,) int64 in [0, C).

    >>> argmax(np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [1, 0]
    """
    best: np.ndarray = scores.argmax(axis=1)
    return best.astype(np.int64)


def thresholds(scores: np.ndarray, *, values: float | list[float] = 0.5) -> np.ndarray:
    """The classes whose score reaches their threshold; a score exactly on it counts.

    Args:
        scores: (N, C) float.
        values: one threshold, or one for each class.

    Returns:
        (N, C) int64 of 0 and 1.

    Raises:
        ConfigError: another number of thresholds than of classes.

    >>> thresholds(np.array([[0.2, 0.8]]), values=[0.1, 0.9]).tolist()
    [[1, 0]]
    """
    limits = np.asarray(values, dtype=np.float64)
    if limits.ndim and len(limits) != scores.shape[1]:
        raise ConfigError(f"{len(limits)} thresholds for {scores.shape[1]} classes")
    return (scores >= limits).astype(np.int64)


ANSWER_STEPS = {"argmax": argmax, "thresholds": thresholds}
