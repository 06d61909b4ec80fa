"""Batches from cached pixels: order and augmentation depend on seed, fold, epoch and sample."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
import torch

from foldwise import seeding
from foldwise.data.augment import Augment, resize_into, resized
from foldwise.data.boxes import Cut
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.reading import Get, augmented, whole
from foldwise.data.resident import Resident

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """The images of some samples.

    Attributes:
        get: content hash → (H, W, C) uint8 pixels.
        hashes: (N,) content hashes, or (N, V) where a sample has several images.
        counters: (N,) int64, what a sample's random draws are keyed with.
        size: side of the network's input, pixels.
        columns: (N, K, 2) float32 values of table columns that go with the images, or None.
        draws: whether a sample's images are augmented by the same draws, or each by its own.
        cut: reads a part of an image alone, as the network's input is to show it; None: parts are
            cut from what `get` gives.
    """

    get: Get
    hashes: np.ndarray
    counters: np.ndarray
    size: int
    columns: np.ndarray | None = None
    draws: Literal["shared", "independent"] = "shared"
    cut: Cut | None = None

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def num_images(self) -> int:
        """V, images of a sample."""
        return 1 if self.hashes.ndim == 1 else int(self.hashes.shape[1])

    def hashes_of(self, row: int) -> list[str]:
        """The content hashes of a sample's images."""
        return [self.hashes[row]] if self.hashes.ndim == 1 else list(self.hashes[row])

    def take(self, rows: np.ndarray) -> Source:
        """The rows given by position or mask."""
        columns = None if self.columns is None else self.columns[rows]
        return replace(
            self, hashes=self.hashes[rows], counters=self.counters[rows], columns=columns
        )

    def apart(self) -> tuple[Source, np.ndarray]:
        """The images one by one, each content once, and where those of each sample stand.

        Returns:
            A source of one image a sample; and (N, V) int64 positions in it.
        """
        hashes = self.hashes.reshape(len(self), -1)
        # A row's own frame comes before its neighbours, which repeat at the ends of sequences: so
        # the images stand as in a recipe without neighbours, and share its cached features.
        order = np.argsort([-len(set(place)) for place in hashes.T], kind="stable")
        numbers, contents = pd.factorize(hashes[:, order].T.ravel())
        places = numbers.reshape(len(order), -1)[np.argsort(order)].T.astype(np.int64)
        counters = np.zeros(len(contents), dtype=np.int64)
        return replace(self, hashes=contents, counters=counters, columns=None), places


@dataclass(frozen=True)
class Batch:
    """Images and the rows of the source they came from.

    Attributes:
        images: (B, C, S, S) uint8; where samples have several images, their channels one image
            after the other.
        rows: (B,) int64; shorter than `images` where the last batch was padded.
        columns: (B, K, 2) float32 of the images' rows, or None.
        target: (B, ...) what the loss takes, where it was drawn with the images; or None.
    """

    images: torch.Tensor
    rows: np.ndarray
    columns: torch.Tensor | None = None
    target: torch.Tensor | None = None

    def inputs(self, device: torch.device) -> tuple[torch.Tensor, ...]:
        """What a network takes, on a device: the images, and the columns if there are any."""
        given = (self.images,) if self.columns is None else (self.images, self.columns)
        return tuple(part.to(device, non_blocking=True) for part in given)


def epoch_order(num: int, key: int, shares: np.ndarray | None = None) -> np.ndarray:
    """Rows of one epoch in random order, (num,) int64.

    Args:
        num: rows.
        key: of seed, fold and epoch.
        shares: (num,) chance of each row to be drawn, with replacement; None: each row once.
    """
    if shares is None:
        return seeding.permutation(key, num)
    edges = np.cumsum(shares / shares.sum())
    draws = seeding.uniforms(key, np.arange(num), 1)[:, 0]
    return np.minimum(np.searchsorted(edges, draws, side="right"), num - 1)


def occurrences(order: np.ndarray) -> np.ndarray:
    """(n,) int64: how often each row of an order stood there before.

    >>> occurrences(np.array([3, 1, 3, 3])).tolist()
    [0, 0, 1, 2]
    """
    sorter = np.argsort(order, kind="stable")
    rows, places = order[sorter], np.arange(len(order))
    first = np.maximum.accumulate(np.where(np.r_[True, rows[1:] != rows[:-1]], places, 0))
    found = np.empty(len(order), np.int64)
    found[sorter] = places - first
    return found


def num_steps(num: int, batch: int) -> int:
    """Steps of an epoch: all rows in near-equal batches of at most `batch`, none of one row."""
    return max(1, -(-num // batch))


def train_batches(
    source: Source,
    order: np.ndarray,
    *,
    batch: int,
    augments: Sequence[Augment],
    key: int,
    workers: int,
    first: int = 0,
    resident: Resident | None = None,
) -> Iterator[Batch]:
    """Augmented batches over `order`; a row that stands there again is augmented anew.

    Args:
        source: the images.
        order: (n,) rows, from `epoch_order`.
        batch: most images in one.
        augments: bound augmentations, in order.
        key: of seed, fold and epoch, for the augmentation draws.
        workers: threads that prepare batches ahead; 0: none. The result is the same.
        first: batches that are left out at the start.
        resident: the source's images in the device's memory, if they are there; the same result.
    """
    groups = drawn_groups(source, order, batch)
    num_each = len(augments) * NUM_DRAWS
    is_shared = source.draws == "shared"
    num_draws = num_each if is_shared else num_each * source.num_images

    def shares(drawn: list[float]) -> Iterator[list[float]]:
        """What is drawn for each image of a sample."""
        for place in range(source.num_images):
            start = 0 if is_shared else place * num_each
            yield drawn[start : start + num_each]

    def make(part: tuple[np.ndarray, np.ndarray]) -> Batch:
        rows, drawn_for = part
        draws = seeding.uniforms(key, drawn_for, num_draws)
        if resident is not None:
            images = resident.batch(rows, augments, draws, source.size)
            return Batch(images, rows, _columns(source, rows))
        found = (
            augmented(source.get, source.cut, sha256, source.size, augments, own)
            for row, drawn in zip(rows, draws.tolist(), strict=True)
            for sha256, own in zip(source.hashes_of(row), shares(drawn), strict=True)
        )
        return Batch(_resized(found, len(rows), source), rows, _columns(source, rows))

    return ahead(make, groups[first:], workers)


def drawn_groups(
    source: Source, order: np.ndarray, batch: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of each batch of an order, and what their draws are keyed with."""
    counters = seeding.again(source.counters[order], occurrences(order))
    num = num_steps(len(order), batch)
    return list(zip(np.array_split(order, num), np.array_split(counters, num), strict=True))


def eval_batches(source: Source, *, batch: int, workers: int) -> Iterator[Batch]:
    """Whole images in the source's order, every batch of the same shape (the last one padded)."""
    rows = np.arange(len(source))
    groups = [rows[start : start + batch] for start in range(0, len(rows), batch)]

    def make(rows: np.ndarray) -> Batch:
        padded = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows))])
        images = (
            whole(source.get, source.cut, sha256, source.size)
            for row in rows
            for sha256 in source.hashes_of(row)
        )
        found = _resized(images, batch, source, space=_mapped)
        found[len(rows) :] = found[len(rows) - 1]
        return Batch(found, rows, _columns(source, padded))

    return ahead(make, groups, workers)


def _allocated(num: int) -> torch.Tensor:
    return torch.empty(num, dtype=torch.uint8)


def _mapped(num: int) -> torch.Tensor:
    """(num,) bytes that lie apart from the heap.

    A pass of a network needs large blocks, and a batch that is read meanwhile outlives it. Were
    that batch between them, the next pass would have to ask for more: measured, 70 MiB over 3,000
    images. Every batch of a map costs its pages anew, so training, where this was not measured,
    keeps to the heap.
    """
    return torch.frombuffer(mmap.mmap(-1, num), dtype=torch.uint8)


def _resized(
    images: Iterator[torch.Tensor],
    num: int,
    source: Source,
    space: Callable[[int], torch.Tensor] = _allocated,
) -> torch.Tensor:
    """(num, V * C, S, S) with the channels last in memory; what is missing is left as it is."""
    first = next(images)
    size, num_images, channels = source.size, source.num_images, len(first)
    found = space(num * size * size * num_images * channels)
    found = found.view(num, size, size, -1).permute(0, 3, 1, 2)
    places = (place for sample in found for place in sample.split(channels))
    for place, image in zip(places, chain([first], images), strict=False):
        if num_images == 1:
            resize_into(image, place)
        else:
            place.copy_(resized(image, size))
    return found


def _columns(source: Source, rows: np.ndarray) -> torch.Tensor | None:
    return None if source.columns is None else torch.from_numpy(source.columns[rows])


def ahead(make: Callable[[T], Batch], groups: Sequence[T], workers: int) -> Iterator[Batch]:
    """The batch of each group in order, made by so many threads before it is asked for."""
    if workers == 0:
        yield from map(make, groups)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Batch]] = deque()
        try:
            for group in groups:
                waiting.append(pool.submit(make, group))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
