"""Deciding classes: the surest one, one of two by its share, or all above their thresholds."""

from __future__ import annotations

import numpy as np

from foldwise.errors import ConfigError, DataError


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


def threshold(scores: np.ndarray, *, value: float = 0.5) -> np.ndarray:
    """Class 1 of two if its share of the two scores reaches the value; exactly on it counts.

    Args:
        scores: (N, 2) float of 0 or more, such as probabilities.
        value: 0.5 is `argmax`, but for equal scores.

    Returns:
        (N,) int64 of 0 and 1.

    Raises:
        ConfigError: not two columns.
        DataError: scores below 0, or a row of nothing but 0.

    >>> threshold(np.array([[0.9, 0.1], [0.6, 0.4]]), value=0.3).tolist()
    [0, 1]
    """
    return (second_share(scores) >= value).astype(np.int64)


def second_share(scores: np.ndarray) -> np.ndarray:
    """(N, 2) scores of 0 or more → (N,) share of the second in each row's sum.

    Raises:
        ConfigError: not two columns.
        DataError: scores below 0, or a row of nothing but 0.
    """
    if scores.ndim != 2 or scores.shape[1] != 2:
        raise ConfigError(f"threshold takes the scores of two classes, found shape {scores.shape}")
    sums = scores.sum(axis=1)
    bad = np.flatnonzero((scores < 0).any(axis=1) | (sums == 0))
    if len(bad):
        raise DataError(
            f"threshold needs scores of 0 or more with a sum above 0, but row {bad[0]} has "
            f"{scores[bad[0], 0]:g} and {scores[bad[0], 1]:g}"
        )
    shares: np.ndarray = scores[:, 1] / sums
    return shares


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


ANSWER_STEPS = {"argmax": argmax, "threshold": threshold, "thresholds": thresholds}
