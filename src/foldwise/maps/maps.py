"""Maps of samples, read one at a time: taken, joined and averaged without being loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

#: Number of a map → (C, H, W) uint8 levels.
Read = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Stored:
    """Where maps stand on disk.

    Attributes:
        files: (N,) objects, the file of each.
        numbers: (N,) int64 place in that file.
        checksums: (N,) int64 CRC-32 of each as it is stored.
    """

    files: np.ndarray
    numbers: np.ndarray
    checksums: np.ndarray

    def take(self, rows: np.ndarray) -> Stored:
        """Those given by position or by a mask over them."""
        return Stored(self.files[rows], self.numbers[rows], self.checksums[rows])


@dataclass(frozen=True)
class Maps:
    """A probability per class and pixel, for each of some samples.

    Attributes:
        sizes: (N, 2) int64 height and width, pixels.
        num_classes: C.
        numbers: (N,) int64, what `of` knows each by.
        of: reads one.
        gates: (N, C) float64 in [0, 1], how sure something else is that a sample shows a class at
            all; None: nothing says so.
        stored: where they stand; None: they are made when they are read.
    """

    sizes: np.ndarray
    num_classes: int
    numbers: np.ndarray
    of: Read
    gates: np.ndarray | None = None
    stored: Stored | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, C), as of the scores of samples that have one number a class."""
        return len(self), self.num_classes

    @property
    def size(self) -> int:
        """Maps of single classes in all."""
        return len(self) * self.num_classes

    def __getitem__(self, rows: np.ndarray) -> Maps:
        """Those given by position or by a mask over them."""
        return replace(
            self,
            sizes=self.sizes[rows],
            numbers=self.numbers[rows],
            gates=None if self.gates is None else self.gates[rows],
            stored=None if self.stored is None else self.stored.take(rows),
        )

    def read(self, row: int) -> np.ndarray:
        """(C, H, W) uint8, level v for probability v / 255."""
        return self.of(int(self.numbers[row]))

    def picked(self, places: Sequence[int]) -> Maps:
        """The same samples with their classes in another order."""
        if list(places) == list(range(self.num_classes)):
            return self
        return Maps(
            self.sizes,
            len(places),
            np.arange(len(self)),
            lambda row: self.read(row)[list(places)],
            None if self.gates is None else self.gates[:, list(places)],
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.read(row) for row in range(len(self)))


def joined(parts: Sequence[Maps]) -> Maps:
    """The maps of several, one after the other."""
    edges = np.cumsum([0, *(len(part) for part in parts)])

    def read(number: int) -> np.ndarray:
        place = int(np.searchsorted(edges, number, side="right")) - 1
        return parts[place].read(number - int(edges[place]))

    sizes = np.concatenate([part.sizes for part in parts])
    gates = [part.gates for part in parts if part.gates is not None]
    assert len(gates) in (0, len(parts))
    return Maps(
        sizes,
        parts[0].num_classes,
        np.arange(edges[-1]),
        read,
        np.concatenate(gates) if gates else None,
        _joined_places([part.stored for part in parts]),
    )


def _joined_places(parts: Sequence[Stored | None]) -> Stored | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Stored(
        np.concatenate([part.files for part in known]),
        np.concatenate([part.numbers for part in known]),
        np.concatenate([part.checksums for part in known]),
    )


def scattered_maps(parts: Sequence[tuple[np.ndarray, Maps]]) -> Maps:
    """The maps of all samples, from those of some rows each.

    Args:
        parts: (n,) int64 rows and their maps; every row of 0..N-1 is in one of them.
    """
    rows = np.concatenate([each for each, _ in parts])
    assert (np.sort(rows) == np.arange(len(rows))).all()
    return joined([maps for _, maps in parts])[np.argsort(rows)]


def mean(parts: Sequence[Maps], weights: Sequence[float] | None = None) -> Maps:
    """The weighted mean of several maps of the same samples, each read when its sample is.

    It has no gates. It is rounded to the nearest level: that adds half a level to what the parts
    are off.

    Args:
        parts: of equal samples in equal order.
        weights: how much each counts, not negative, not all 0; None: all alike.

    Raises:
        ValueError: their sizes differ.
    """
    first = parts[0]
    if len(parts) == 1:
        return replace(first, gates=None)
    if any(not np.array_equal(part.sizes, first.sizes) for part in parts):
        raise ValueError("maps of the same samples have different sizes")
    shares = np.asarray([1.0] * len(parts) if weights is None else weights, dtype=np.float32)
    shares = shares / shares.sum()

    def read(row: int) -> np.ndarray:
        total = np.zeros((first.num_classes, *first.sizes[row]), np.float32)
        for part, share in zip(parts, shares, strict=True):
            total += share * part.read(row)
        total += 0.5
        return total.astype(np.uint8)

    return Maps(first.sizes, first.num_classes, np.arange(len(first)), read)


def constant_maps(sizes: np.ndarray, levels: np.ndarray) -> Maps:
    """Maps of which every pixel says the same, made when they are read.

    Args:
        sizes: (N, 2) int64 height and width of each, pixels.
        levels: (C,) uint8 of each class; or (N, C), of each sample.
    """
    every = np.broadcast_to(levels, (len(sizes), np.shape(levels)[-1]))

    def read(row: int) -> np.ndarray:
        return np.broadcast_to(every[row][:, None, None], (every.shape[1], *sizes[row]))

    return Maps(sizes, every.shape[1], np.arange(len(sizes)), read)


def levels_apart(first: Maps, second: Maps) -> int:
    """The largest difference of a level between maps of the same samples, in [0, 255]."""
    pairs = zip(first, second, strict=True)
    return max((int(np.abs(a.astype(np.int16) - b).max(initial=0)) for a, b in pairs), default=0)
