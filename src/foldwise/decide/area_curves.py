"""What each pair of threshold and smallest area scores, summed over maps, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from foldwise.decide.component_tree import NUM_THRESHOLDS, Components

#: Entries that are kept apart before they are summed up, if no more are known already.
_MOST_APART = 20_000


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


#: Smallest areas that are all tried; larger ones in steps, each so many to twice the area.
_EVERY, _PER_OCTAVE = 512, 64


def areas_tried(largest: int) -> np.ndarray:
    """(A,) int64 smallest areas, rising from 0; the last one drops whatever there is.

    Up to 512 pixels they are all there, from there on each is about 1.1 % above the one before:
    so what is kept for them does not grow without end with the number of maps.

    Args:
        largest: pixels of the largest map.

    >>> areas_tried(3).tolist()
    [0, 1, 2, 3, 4]
    """
    few = np.arange(min(largest, _EVERY) + 2)
    num = max(0, int(np.ceil(_PER_OCTAVE * np.log2((largest + 1) / few[-1]))))
    more = few[-1] * 2.0 ** (np.arange(1, num + 1) / _PER_OCTAVE)
    return np.concatenate([few, np.ceil(more).astype(np.int64)])


class Changes(NamedTuple):
    """What a map adds to sums.

    Attributes:
        base: (257, K) float64 at smallest area 0, by threshold.
        places: (E,) int32 where in the sums, (257, A) flat, they change: at the first smallest area
            that drops a component.
        values: (E, K) float64 by what.
    """

    base: np.ndarray
    places: np.ndarray
    values: np.ndarray


def changes(found: Components, true: int, terms: Terms, areas: np.ndarray) -> Changes:
    """What a map adds to sums.

    Args:
        found: its components.
        true: true pixels in it.
        terms: what is summed.
        areas: (A,) int64 smallest areas, as of `areas_tried`.
    """
    counts = found.last - found.first
    ends = np.cumsum(counts)
    entries = np.repeat(found.first - (ends - counts), counts) + np.arange(ends[-1])
    thresholds = np.repeat(np.arange(NUM_THRESHOLDS), counts)
    # From the largest component down, what is kept once the smaller ones are dropped.
    kept = [_kept(values[entries], counts, ends) for values in (found.answered, found.common)]
    after = [_next(values, ends[counts > 0] - 1) for values in kept]
    heads = (ends - counts)[counts > 0]
    whole = np.zeros((2, NUM_THRESHOLDS), np.int64)
    whole[:, counts > 0] = np.stack(kept)[:, heads]
    drops = np.searchsorted(areas, found.areas[entries], side="right")
    return Changes(
        terms(whole[0], whole[1], true),
        (thresholds * len(areas) + drops).astype(np.int32),
        terms(after[0], after[1], true) - terms(kept[0], kept[1], true),
    )


def difference(one: Changes, other: Changes) -> Changes:
    """What is to be added beside the other map's changes, so that it is the one's."""
    places, where = np.unique(np.concatenate([one.places, other.places]), return_inverse=True)
    both = np.concatenate([one.values, -other.values])
    values = np.stack([np.bincount(where, each, len(places)) for each in both.T], axis=1)
    differ = (values != 0).any(axis=1)
    return Changes(one.base - other.base, places[differ], values[differ])


@dataclass
class AreaCurves:
    """Sums over maps of what each threshold and smallest area gives.

    For a threshold, the sum is a step function of the smallest area: it changes where a component
    is dropped.

    Attributes:
        num_areas: A, that are tried.
        base: (257, K) float64 at smallest area 0, by threshold.
    """

    num_areas: int
    base: np.ndarray
    _places: list[np.ndarray] = field(init=False, default_factory=list)
    _values: list[np.ndarray] = field(init=False, default_factory=list)
    _num_apart: int = field(init=False, default=0)

    @classmethod
    def of_none(cls, terms: Terms, areas: np.ndarray) -> AreaCurves:
        """The sums over no maps."""
        nothing = np.zeros(1, np.int64)
        num_terms = terms(nothing, nothing, 0).shape[1]
        return cls(len(areas), np.zeros((NUM_THRESHOLDS, num_terms)))

    def add(self, found: Changes, weight: float = 1.0) -> None:
        """Add a map that counts as much as its weight."""
        self.base += weight * found.base
        self._places.append(found.places)
        # Not copied where all maps count alike: other sums hold the same values.
        self._values.append(found.values if weight == 1.0 else weight * found.values)
        self._num_apart += len(found.places)
        # Most maps change the sums where others do: what is held grows with these places alone.
        if self._num_apart > max(_MOST_APART, len(self._places[0])):
            self.joined()

    @property
    def empty(self) -> np.ndarray:
        """(K,) float64 sums where nothing is answered."""
        found: np.ndarray = self.base[-1]
        return found

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """(E,) int32 places, rising, and (E, K) float64 by what the sums change there."""
        if self._num_apart:
            places, where = np.unique(np.concatenate(self._places), return_inverse=True)
            columns = np.concatenate(self._values).T
            values = [np.bincount(where, column, len(places)) for column in columns]
            self._places, self._values = [places], [np.stack(values, axis=1)]
            self._num_apart = 0
        return self._places[0], self._values[0]


def changes_of(parts: Sequence[AreaCurves]) -> np.ndarray:
    """(257, A, K) float64 by what the sums over some parts change from smallest area to area.

    The sums themselves are `np.cumsum(found, axis=1)`.

    Args:
        parts: sums over maps, at least one.
    """
    shape = NUM_THRESHOLDS, parts[0].num_areas, parts[0].base.shape[1]
    flat = np.zeros((shape[0] * shape[1], shape[2]))
    for part in parts:
        places, values = part.joined()
        flat[places] += values
    found = flat.reshape(shape)
    found[:, 0] += sum(part.base for part in parts)
    return found


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
