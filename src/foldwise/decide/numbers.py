"""Deciding numbers: the score itself, clipped and rounded."""

from __future__ import annotations

import numpy as np

from foldwise.errors import ConfigError


def value(
    scores: np.ndarray,
    *,
    low: float | None = None,
    high: float | None = None,
    decimals: int | None = None,
) -> np.ndarray:
    """The score as the answer, moved into [low, high] and rounded.

    Args:
        scores: (N, 1) float.
        low: least answer.
        high: greatest answer.
        decimals: places after the point; None keeps all. Halves go to the even neighbour.

    Returns:
        (N,) float64.

    Raises:
        ConfigError: low above high, or scores of more than one column.

    >>> value(np.array([[-0.2], [3.14]]), low=0.0, decimals=1).tolist()
    [0.0, 3.1]
    """
    if scores.ndim != 2 or scores.shape[1] != 1:
        raise ConfigError(f"value takes one score per sample, found shape {scores.shape}")
    if low is not None and high is not None and low > high:
        raise ConfigError(f"value: low {low} is above high {high}")
    numbers = scores[:, 0].astype(np.float64)
    if decimals is not None:
        numbers = np.round(numbers, decimals)
    if low is not None or high is not None:
        numbers = np.clip(numbers, low, high)
    return numbers


ANSWER_STEPS = {"value": value}
