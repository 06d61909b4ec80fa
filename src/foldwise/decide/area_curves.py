"""What each pair of threshold and smallest area scores, summed over maps, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from foldwise.decide.component_tree import NUM_THRESHOLDS, Components

#: Entries that are kept apart before they are summed up.
_MOST_APART = 4_000_000


class Terms(Protocol):
    """(E,) answered, (E,) common and the true area of a map → (E, K) what is summed of it."""

    def __call__(self, answered: np.ndarray, common: np.ndarray, true: int) -> np.ndarray:
        """What is summed for each entry."""


def dice_terms(answered: np.ndarray, common: np.ndarray, true: int) -> np.ndarray:
    """(E, 1) Dice; 1 where answer and truth are empty."""
    total = answered + true
    return np.where(total > 0, 2 * common / np.maximum(total, 1), 1.0)[:, None]


def iou_terms(answered: np.ndarray, common: np.ndarray, true: int) -> np.ndarray:
    """(E, 1) overlap over union; 1 where answer and truth are empty."""
    union = answered + true - common
    return np.where(union > 0, common / np.maximum(union, 1), 1.0)[:, None]


def pooled_terms(answered: np.ndarray, common: np.ndarray, true: int) -> np.ndarray:
    """(E, 2) overlap and union, to be divided when they are summed over all maps."""
    return np.stack([common, answered + true - common], axis=1).astype(np.float64)


@dataclass
class AreaCurves:
    """Sums over maps of what each threshold and smallest area gives.

    For a threshold, the sum is a step function of the smallest area: it changes behind the area
    of each component, where that is dropped.

    Attributes:
        terms: what is summed.
        base: (257, K) float64 at smallest area 0, by threshold.
    """

    terms: Terms
    base: np.ndarray = field(init=False)
    _keys: list[np.ndarray] = field(init=False, default_factory=list)
    _changes: list[np.ndarray] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        nothing = np.zeros(1, np.int64)
        num_terms = self.terms(nothing, nothing, 0).shape[1]
        self.base = np.zeros((NUM_THRESHOLDS, num_terms))

    def add(self, found: Components, true: int, weight: float = 1.0) -> None:
        """Add a map.

        Args:
            found: its components.
            true: true pixels in it.
            weight: how much it counts.
        """
        counts = found.last - found.first
        ends = np.cumsum(counts)
        places = np.repeat(found.first - (ends - counts), counts) + np.arange(ends[-1])
        thresholds = np.repeat(np.arange(NUM_THRESHOLDS), counts)
        # From the largest component down, what is kept once the smaller ones are dropped.
        kept = [_kept(values[places], counts, ends) for values in (found.answered, found.common)]
        after = [_next(values, ends[counts > 0] - 1) for values in kept]
        heads = (ends - counts)[counts > 0]
        whole = np.zeros((2, NUM_THRESHOLDS), np.int64)
        whole[:, counts > 0] = np.stack(kept)[:, heads]
        self.base += weight * self.terms(whole[0], whole[1], true)
        changes = self.terms(after[0], after[1], true) - self.terms(kept[0], kept[1], true)
        self._keys.append(thresholds << 32 | found.areas[places])
        self._changes.append(weight * changes)
        if sum(map(len, self._keys)) > _MOST_APART:
            self._sum_up()

    def steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the sums change, and what they are from there on.

        Returns:
            (S,) int64 thresholds, rising; (S,) int64 smallest areas, rising within each, the first
            one 0; (S, K) float64 sums at these.
        """
        self._sum_up()
        keys = np.concatenate([np.arange(NUM_THRESHOLDS, dtype=np.int64) << 32, self._keys[0] + 1])
        changes = np.concatenate([self.base, self._changes[0]])
        order = np.argsort(keys, kind="stable")
        keys, changes = keys[order], changes[order]
        thresholds, areas = keys >> 32, keys & 0xFFFFFFFF
        sums = np.cumsum(changes, axis=0)
        heads = np.flatnonzero(areas == 0)
        before = sums[heads] - changes[heads]
        return thresholds, areas, sums - np.repeat(before, np.diff([*heads, len(keys)]), axis=0)

    def _sum_up(self) -> None:
        """Entries of the same threshold and area become one."""
        if len(self._keys) == 1:
            return
        empty = np.empty((0, self.base.shape[1]))
        keys = np.concatenate([np.empty(0, np.int64), *self._keys])
        changes = np.concatenate([empty, *self._changes])
        found, places = np.unique(keys, return_inverse=True)
        columns = [np.bincount(places, column, len(found)) for column in changes.T]
        self._keys, self._changes = [found], [np.stack(columns, axis=1)]


def summed(curves: Sequence[AreaCurves]) -> AreaCurves:
    """The sums over the maps of several."""
    total = AreaCurves(curves[0].terms)
    for each in curves:
        each._sum_up()
        total.base += each.base
        total._keys += each._keys
        total._changes += each._changes
    total._sum_up()
    return total


def _kept(values: np.ndarray, counts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(E,) sums of each entry and those behind it in its threshold."""
    before = np.cumsum(values) - values
    upto = np.concatenate([[0], np.cumsum(values)])[ends]
    found: np.ndarray = np.repeat(upto, counts) - before
    return found


def _next(kept: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(E,) the sums of the entry behind each; 0 behind the last one of a threshold."""
    found = np.append(kept[1:], 0)
    found[last] = 0
    return found
