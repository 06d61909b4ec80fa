"""Where rows stand in time: which sequence each belongs to, and its place there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

# A row at the very edge of a window counts, though times such as 0.1 s are not exact.
_ROUNDING_STEPS = 4


@dataclass(frozen=True)
class Timeline:
    """The sequence of each row and its place there, for steps that look at neighbours.

    The rows may come in any order. Nothing reaches from one sequence into another.

    Attributes:
        sequences: (N,) int64, number of each row's sequence; below 0: the row is alone.
        order: (N,) float64, rises with time inside a sequence and is equal for no two of its rows;
            not read where a row is alone.

    >>> Timeline(np.array([0, 1, 0]), np.array([20.0, 5.0, 10.0])).in_time
    array([2, 0, 1])
    """

    sequences: np.ndarray
    order: np.ndarray

    def __post_init__(self) -> None:
        assert self.sequences.shape == self.order.shape, (self.sequences.shape, self.order.shape)

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: np.ndarray) -> Timeline:
        """The rows by mask or position."""
        return Timeline(self.sequences[rows], self.order[rows])

    def with_alone(self, num: int) -> Timeline:
        """These rows and behind them so many that are alone."""
        return Timeline(
            np.concatenate([self.sequences, np.full(num, -1)]),
            np.concatenate([self.order, np.zeros(num)]),
        )

    def parted(self, max_gap: float) -> Timeline:
        """The same with each sequence cut where its order rises by more than this at once."""
        order = self.order[self.in_time]
        is_cut = self.is_start.copy()
        is_cut[1:] |= np.diff(order) > self.reached(max_gap)
        numbers = np.empty(len(self), dtype=np.int64)
        numbers[self.in_time] = np.cumsum(is_cut) - 1
        return Timeline(np.where(self.sequences < 0, -1, numbers), self.order)

    @cached_property
    def in_time(self) -> np.ndarray:
        """(N,) int64 positions of the rows: sequence by sequence, each in its order."""
        return np.lexsort((self.order, self._numbers)).astype(np.int64)

    @cached_property
    def is_start(self) -> np.ndarray:
        """(N,) bool in the order of `in_time`: whether a row is the first of its sequence."""
        numbers = self._numbers[self.in_time]
        is_start = np.ones(len(self), dtype=bool)
        is_start[1:] = numbers[1:] != numbers[:-1]
        return is_start

    @property
    def steps(self) -> np.ndarray:
        """By how much the order rises from each row to the next of its sequence."""
        steps: np.ndarray = np.diff(self.order[self.in_time])[~self.is_start[1:]]
        return steps

    def each(self) -> Iterator[slice]:
        """Every sequence's rows in the order of `in_time`."""
        for first, end in pairwise([*np.flatnonzero(self.is_start).tolist(), len(self)]):
            yield slice(first, end)

    def windows(self, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """The rows of each row's sequence whose order differs from its own by at most `reach`.

        Returns:
            (N,) first and (N,) one behind the last, of the order of `in_time` and in it.
        """
        first, end = np.arange(len(self)), np.arange(1, len(self) + 1)
        order = self.order[self.in_time]
        for rows in self.each():
            if rows.stop - rows.start > 1:
                first[rows], end[rows] = within(order[rows], self.reached(reach))
                first[rows] += rows.start
                end[rows] += rows.start
        return first, end

    def reached(self, difference: float) -> float:
        """The difference with what rounding may add to it in the order."""
        largest = float(np.abs(self.order).max(initial=0.0))
        return difference + _ROUNDING_STEPS * float(np.spacing(largest))

    @property
    def _numbers(self) -> np.ndarray:
        """(N,) a number for each sequence, rows that are alone being one each."""
        is_alone = self.sequences < 0
        own = self.sequences.max(initial=-1) + 1 + np.arange(len(self))
        return np.where(is_alone, own, self.sequences)


def within(order: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The window of each place of a rising order: (n,) first and (n,) one behind the last.

    >>> [ends.tolist() for ends in within(np.array([0.0, 1.0, 5.0]), 2.0)]
    [[0, 0, 2], [2, 2, 3]]
    """
    first = np.searchsorted(order, order - reach, side="left")
    end = np.searchsorted(order, order + reach, side="right")
    return first, end
