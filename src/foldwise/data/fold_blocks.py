"""Folds as blocks along time, and the rows beside a block that its training leaves out."""

from __future__ import annotations

import numpy as np


def place_blocks(order: np.ndarray, units: np.ndarray, *, num_folds: int) -> np.ndarray:
    """Contiguous blocks of units with about equally many rows, the earliest as fold 0.

    Args:
        order: (N,) float, place of each row in time.
        units: (N,) int in [0, U), what must not be cut; a unit stands at its earliest row.
        num_folds: K, at most U.

    Returns:
        (U,) int64 folds in [0, K), none empty.

    >>> place_blocks(np.array([3.0, 1.0, 2.0, 4.0]), np.arange(4), num_folds=2)
    array([1, 0, 0, 1])
    """
    sizes = np.bincount(units)
    num_units = len(sizes)
    assert num_folds <= num_units, (num_folds, num_units)
    start = np.full(num_units, np.inf)
    np.minimum.at(start, units, order)
    in_time = np.argsort(start, kind="stable")
    filled = np.concatenate([[0], np.cumsum(sizes[in_time])])
    cuts = [0]
    for block in range(1, num_folds):
        nearest = int(np.abs(filled - len(units) * block / num_folds).argmin())
        cuts.append(int(np.clip(nearest, cuts[-1] + 1, num_units - num_folds + block)))
    folds = np.empty(num_units, dtype=np.int64)
    folds[in_time] = np.repeat(np.arange(num_folds), np.diff([*cuts, num_units]))
    return folds


def join_blocks(start: np.ndarray, old_order: np.ndarray, old_folds: np.ndarray) -> np.ndarray:
    """The fold of the old row nearest in time; of two equally near, the earlier one's.

    Args:
        start: (U,) float, when each new unit starts.
        old_order: (M,) float, M >= 1.
        old_folds: (M,) int.

    Returns:
        (U,) int64 folds.
    """
    by_time = np.argsort(old_order, kind="stable")
    times = old_order[by_time]
    after = np.searchsorted(times, start).clip(1, max(len(times) - 1, 1)).clip(0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(start - times[before] <= times[after] - start, before, after)
    joined: np.ndarray = old_folds[by_time][nearest].astype(np.int64)
    return joined


def find_gap_rows(
    folds: np.ndarray, order: np.ndarray, *, num_folds: int, gap: float
) -> np.ndarray:
    """Rows outside a fold that lie within `gap` of one of its rows in time.

    Args:
        folds: (N,) int in [0, K).
        order: (N,) float on one clock for all rows.
        num_folds: K.
        gap: in units of `order`; a row exactly this far away is within.

    Returns:
        (K, N) bool: row n is to be left out when training against fold k.

    >>> find_gap_rows(np.array([0, 0, 1, 1]), np.arange(4.0), num_folds=2, gap=1).astype(int)
    array([[0, 0, 1, 0],
           [0, 1, 0, 0]])
    """
    near = np.zeros((num_folds, len(folds)), dtype=bool)
    for fold in range(num_folds):
        times = np.sort(order[folds == fold])
        if len(times):
            first = np.searchsorted(times, order - gap, side="left")
            last = np.searchsorted(times, order + gap, side="right")
            near[fold] = (first < last) & (folds != fold)
    return near
