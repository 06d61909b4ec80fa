"""Neighbouring frames: the rows before and behind a row in its sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def frame_rows(sequences: np.ndarray, order: np.ndarray, offsets: Sequence[int]) -> np.ndarray:
    """The rows that stand so many places from each row in its sequence.

    Args:
        sequences: (N,) int, number of each row's sequence; below 0: the row is alone.
        order: (N,) float, rises with time inside a sequence; not read where a row is alone.
        offsets: F places from the row's own, earlier ones negative.

    Returns:
        (N, F) int64 positions; beyond either end of a sequence, the frame at that end.

    >>> frame_rows(np.array([0, 0, 0, -1]), np.array([20.0, 10.0, 30.0, 0.0]), (-1, 0, 1))
    array([[1, 0, 2],
           [1, 1, 0],
           [0, 2, 2],
           [3, 3, 3]])
    """
    num = len(sequences)
    alone = sequences < 0
    numbers = np.where(alone, sequences.max(initial=-1) + 1 + np.arange(num), sequences)
    in_time = np.lexsort((order, numbers))
    place = np.empty(num, dtype=np.int64)
    place[in_time] = np.arange(num)
    in_turn = numbers[in_time]
    first = np.searchsorted(in_turn, numbers, side="left")
    last = np.searchsorted(in_turn, numbers, side="right") - 1
    wanted = place[:, None] + np.asarray(offsets, dtype=np.int64)[None, :]
    return np.asarray(in_time[np.clip(wanted, first[:, None], last[:, None])])


def first_tie(sequences: np.ndarray, order: np.ndarray) -> tuple[int, int] | None:
    """Two rows of one sequence that stand at the same place in its order; None: there are none.

    Args:
        sequences: (N,) int; below 0: the row is alone.
        order: (N,) float.
    """
    rows = np.flatnonzero(sequences >= 0)
    in_time = rows[np.lexsort((order[rows], sequences[rows]))]
    number, when = sequences[in_time], order[in_time]
    tied = np.flatnonzero((number[1:] == number[:-1]) & (when[1:] == when[:-1]))
    return (int(in_time[tied[0]]), int(in_time[tied[0] + 1])) if len(tied) else None
