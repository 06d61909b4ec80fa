"""The best threshold and smallest area for masks, of all levels and all areas that are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: (S, K) sums → (S,) what is to be as high as can be.
Value = Callable[[np.ndarray], np.ndarray]

#: Sums of floats that differ by less are alike.
_ALIKE = 1e-9


@dataclass(frozen=True)
class AreaFit:
    """What was found.

    Attributes:
        threshold: least level that answers; 256: none does, the masks are empty.
        smallest_area: pixels that a component has at least.
        value: what they reach.
    """

    threshold: int
    smallest_area: int
    value: float


def first_sum(sums: np.ndarray) -> np.ndarray:
    """(S,) the sum itself, where there is one."""
    return sums[:, 0].copy()


def quotient(sums: np.ndarray) -> np.ndarray:
    """(S,) of two sums the first over the second; 1 where both are 0, as of empty masks."""
    part, whole = sums.T
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 1.0)


def is_more(value: float, other: float) -> bool:
    """Whether one value is higher than another by more than sums of floats are off."""
    return value > other + _ALIKE * max(1.0, abs(other))


def fit_areas(
    sums: np.ndarray,
    areas: np.ndarray,
    *,
    fixed: tuple[int, int] = (128, 0),
    value: Value = first_sum,
    beside: np.ndarray | None = None,
) -> AreaFit:
    """The pair with the highest value; of equally good ones the nearest to the fixed one.

    Args:
        sums: (257, A, K) float64 over all maps that are fitted to, by threshold and smallest area.
        areas: (A,) int64 smallest areas.
        fixed: threshold and smallest area that are kept where others are no better.
        value: of the sums.
        beside: (K,) sums of maps whatever is chosen; None: there are no such.
    """
    every = sums.reshape(-1, sums.shape[2])
    values = value(every if beside is None else every + beside).reshape(sums.shape[:2])
    values[0] = -np.inf  # It would answer everywhere, whatever the map says.
    best = float(values.max())
    thresholds, places = np.nonzero(values >= best - _ALIKE * max(1.0, abs(best)))
    away = np.abs(thresholds - fixed[0]), np.abs(areas[places] - fixed[1])
    chosen = np.lexsort(away[::-1])[0]
    return AreaFit(int(thresholds[chosen]), int(areas[places[chosen]]), best)
