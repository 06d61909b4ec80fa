"""Masks as runs: a table of all of them, coded from pixels and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from foldwise.masks.pixels import Ragged, Room, find_runs, paint, zeros

_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Runs:
    """Masks as runs of set pixels, counted down the columns, as Kaggle's and COCO's are.

    Attributes:
        heights: (N,) int64 pixels.
        widths: (N,) int64 pixels.
        offsets: (N + 1,) int64; mask n has the runs from `offsets[n]` up to `offsets[n + 1]`.
        starts: (R,) int64 first pixel of each run, from 0; the pixel in row y and column x is
            number `x * height + y`. Rising within a mask.
        lengths: (R,) int64 pixels, at least 1; no run ends where the next one starts.
    """

    heights: np.ndarray
    widths: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def ends(self) -> np.ndarray:
        """(R,) int64 one after the last pixel of each run."""
        ends: np.ndarray = self.starts + self.lengths
        return ends

    @property
    def counts(self) -> np.ndarray:
        """(N,) int64 runs of each mask; 0: it is empty."""
        return np.diff(self.offsets)

    @property
    def ragged(self) -> Ragged:
        """Offsets, starts and lengths."""
        return self.offsets, self.starts, self.lengths

    @property
    def owners(self) -> np.ndarray:
        """(R,) int64 the mask each run is of."""
        return np.repeat(np.arange(len(self)), self.counts)

    @property
    def areas(self) -> np.ndarray:
        """(N,) int64 pixels of each mask."""
        areas = np.zeros(len(self), np.int64)
        has_runs = self.counts > 0
        areas[has_runs] = np.add.reduceat(self.lengths, self.offsets[:-1][has_runs])
        return areas

    @property
    def places(self) -> np.ndarray:
        """(N + 1,) int64 where each mask's pixels begin if all lie one behind the other."""
        return np.concatenate([[0], np.cumsum(self.heights * self.widths)])

    def take(self, rows: np.ndarray) -> Self:
        """The masks given by position or by a mask over them."""
        rows = np.arange(len(self))[rows]
        counts = self.counts[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        # Where each taken mask's runs start, less where they come to stand.
        runs = np.repeat(self.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        return type(self)(
            self.heights[rows], self.widths[rows], offsets, self.starts[runs], self.lengths[runs]
        )

    @classmethod
    def of(
        cls, parts: Sequence[tuple[np.ndarray, np.ndarray]], sizes: Sequence[tuple[int, int]]
    ) -> Self:
        """From each mask's starts and lengths, and its height and width."""
        empty = np.empty(0, np.int64)
        shapes = np.asarray(sizes, np.int64).reshape(-1, 2)
        counts = [len(starts) for starts, _ in parts]
        return cls(
            shapes[:, 0],
            shapes[:, 1],
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
            np.concatenate([empty, *(starts for starts, _ in parts)]),
            np.concatenate([empty, *(lengths for _, lengths in parts)]),
        )


def concatenate(parts: Iterable[Runs]) -> Runs:
    """All masks of several tables, one after the other."""
    several = list(parts)
    counts = np.concatenate([part.counts for part in several])
    return Runs(
        np.concatenate([part.heights for part in several]),
        np.concatenate([part.widths for part in several]),
        np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        np.concatenate([part.starts for part in several]),
        np.concatenate([part.lengths for part in several]),
    )


def join(runs: Runs) -> Runs:
    """The same masks, with runs that touch made one; each mask's runs rise and do not overlap."""
    owners, ends = runs.owners, runs.ends
    goes_on = np.zeros(len(ends), np.bool_)
    goes_on[1:] = (runs.starts[1:] == ends[:-1]) & (owners[1:] == owners[:-1])
    if not goes_on.any():
        return runs
    first = np.flatnonzero(~goes_on)
    last = np.append(first[1:], len(ends)) - 1
    starts = runs.starts[first]
    counts = np.bincount(owners[first], minlength=len(runs))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Runs(runs.heights, runs.widths, offsets, starts, ends[last] - starts)


def encode(masks: Iterable[np.ndarray]) -> Runs:
    """The runs of masks.

    Args:
        masks: each (H, W), bool or numbers; what is not 0 is set. Sizes may differ.

    >>> runs = encode([np.array([[0, 1], [1, 1]], dtype=bool)])
    >>> runs.starts.tolist(), runs.lengths.tolist()
    ([1], [3])
    """
    parts, sizes, room = [], [], Room()
    for mask in masks:
        parts.append(find_runs(mask, room))
        sizes.append(mask.shape)
    return Runs.of(parts, sizes)


def decode(runs: Runs) -> list[np.ndarray]:
    """Each mask as (H, W) uint8 of 0 and 1, in Fortran order: pixels lie as runs count them.

    All lie in one block of memory, of which untouched pages cost nothing; it is given back when
    the last of them is.
    """
    pixels = zeros(int(runs.places[-1]))
    paint(pixels, runs.places[:-1], runs.ragged)
    return views(pixels, runs)


def views(pixels: np.ndarray, runs: Runs) -> list[np.ndarray]:
    """(H, W) views of masks that lie one behind the other."""
    edges = runs.places.tolist()
    shapes = zip(runs.widths.tolist(), runs.heights.tolist(), strict=True)
    return [
        pixels[low:high].reshape(shape).T
        for low, high, shape in zip(edges[:-1], edges[1:], shapes, strict=True)
    ]


def transposed(runs: Runs) -> Runs:
    """The masks with rows and columns changed over: what counted down counts across."""
    parts = []
    # Many at once for speed, few enough for memory.
    number = np.cumsum(runs.heights * runs.widths) // _AT_ONCE
    for rows in np.split(np.arange(len(runs)), np.flatnonzero(np.diff(number)) + 1):
        parts.append(encode([mask.T for mask in decode(runs.take(rows))]))
    return concatenate(parts)
