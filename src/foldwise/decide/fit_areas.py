"""The best threshold and smallest area for masks, exact over all levels and all areas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldwise.decide.area_curves import AreaCurves

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


def fit_areas(
    curves: AreaCurves,
    *,
    fixed: tuple[int, int] = (128, 0),
    value: Value = first_sum,
    beside: np.ndarray | None = None,
) -> AreaFit:
    """The pair with the highest value; of equally good ones the nearest to the fixed one.

    Args:
        curves: of all maps that are fitted to.
        fixed: threshold and smallest area that are kept where others are no better.
        value: of the sums.
        beside: (K,) sums of maps whatever is chosen; None: there are no such.
    """
    thresholds, areas, sums = curves.steps()
    # Within a step all smallest areas do the same; the last one of a threshold has no end.
    last = np.append(areas[1:] - 1, 0)
    is_open = np.append(thresholds[1:] != thresholds[:-1], True)
    last[is_open] = np.maximum(areas[is_open], fixed[1])
    values = value(sums if beside is None else sums + beside)
    values[thresholds == 0] = -np.inf  # It would answer everywhere, whatever the map says.
    best = float(values.max())
    tied = np.flatnonzero(values >= best - _ALIKE * max(1.0, abs(best)))
    nearest = np.clip(fixed[1], areas[tied], last[tied])
    away = np.abs(thresholds[tied] - fixed[0])
    chosen = np.lexsort([np.abs(nearest - fixed[1]), away])[0]
    return AreaFit(int(thresholds[tied][chosen]), int(nearest[chosen]), best)
