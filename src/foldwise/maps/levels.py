"""Probabilities in 256 levels: what is kept of them, and how far that is off."""

from __future__ import annotations

import numpy as np

#: The level of probability 1; level v stands for v / 255.
TOP = 255
#: Furthest that a probability is from its level.
ERROR = 0.5 / TOP


def to_levels(probs: np.ndarray) -> np.ndarray:
    """The nearest level of each probability, at most `ERROR` away.

    Args:
        probs: float in [0, 1], any shape.

    Returns:
        uint8, of the same shape.

    >>> to_levels(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    scaled = np.multiply(probs, TOP, dtype=np.float32)
    scaled += 0.5
    # Halves go up, as a threshold of 0.5 counts them; `rint` would send every other one down.
    found: np.ndarray = scaled.astype(np.uint8)
    return found


def to_probs(levels: np.ndarray) -> np.ndarray:
    """The probability that each level stands for, float32 in [0, 1]."""
    found: np.ndarray = np.divide(levels, TOP, dtype=np.float32)
    return found


def least_level(threshold: float) -> int:
    """The lowest level that stands for a probability of at least `threshold`.

    Returns:
        In [0, 256]; 256: no level does.

    >>> [least_level(value) for value in (0.0, 0.5, 1.0, 1.1)]
    [0, 128, 255, 256]
    """
    return min(max(int(np.ceil(threshold * TOP - 1e-9)), 0), TOP + 1)
