"""Row weights, as metrics and fitted decisions take them."""

from __future__ import annotations

import math

import numpy as np


def row_weights(weight: np.ndarray | None, num_rows: int) -> np.ndarray:
    """The weights as (N,) float64, ones if there are none.

    Raises:
        ValueError: no rows, another length, a negative or non-finite weight, or none above 0.
    """
    require_rows(num_rows)
    if weight is None:
        return np.ones(num_rows)
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != (num_rows,):
        raise ValueError(f"row weights have shape {weights.shape} for {num_rows} rows")
    # NaN and infinity pass on to the least and the sum: two passes see all there is to see.
    least, total = float(weights.min()), float(weights.sum())
    if not least >= 0 or not math.isfinite(total):
        raise ValueError("row weights must be finite numbers of 0 or more")
    if total == 0:
        raise ValueError("all row weights are 0, so there are no rows to score")
    return weights


def require_rows(num_rows: int) -> None:
    """Check that there is anything to score.

    Raises:
        ValueError: there is not.
    """
    if num_rows == 0:
        raise ValueError("there are no rows to score")
