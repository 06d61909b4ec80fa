"""How far the scores of all members reach."""

from __future__ import annotations

import numpy as np

_CHUNK = 2**17


def finite_reach(scores: np.ndarray) -> tuple[float, float] | None:
    """Least and greatest of contiguous float64 scores, each fetched from memory once for both.

    None if one of them is infinite or no number: metrics refuse such scores.
    """
    flat = scores.reshape(-1)
    parts = [flat[start : start + _CHUNK] for start in range(0, len(flat), _CHUNK)]
    ends = np.array([(part.min(), part.max()) for part in parts])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    return (low, high) if np.isfinite((low, high)).all() else None
