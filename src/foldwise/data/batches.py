"""Batches from cached pixels: order and augmentation depend on seed, fold, epoch and sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from foldwise import seeding
from foldwise.data.augment import Augment, centred, resized
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.resident import Resident


@dataclass(frozen=True)
class Source:
    """The images of some samples.

    Attributes:
        get: content hash → (H, W, C) uint8 pixels.
        hashes: (N,) content hashes.
        counters: (N,) int64, what a sample's random draws are keyed with.
        size: side of the network's input, pixels.
        columns: (N, K, 2) float32 values of table columns that go with the images, or None.
    """

    get: Callable[[str], np.ndarray]
    hashes: np.ndarray
    counters: np.ndarray
    size: int
    columns: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, rows: np.ndarray) -> Source:
        """The rows given by position or mask."""
        columns = None if self.columns is None else self.columns[rows]
        return replace(
            self, hashes=self.hashes[rows], counters=self.counters[rows], columns=columns
        )


@dataclass(frozen=True)
class Batch:
    """Images and the rows of the source they came from.

    Attributes:
        images: (B, C, S, S) uint8.
        rows: (B,) int64; shorter than `images` where the last batch was padded.
        columns: (B, K, 2) float32 of the images' rows, or None.
    """

    images: torch.Tensor
    rows: np.ndarray
    columns: torch.Tensor | None = None

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
    """Augmented batches over `order`.

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
    groups = np.array_split(order, num_steps(len(order), batch))[first:]

    def make(rows: np.ndarray) -> Batch:
        draws = seeding.uniforms(key, source.counters[rows], max(1, len(augments)) * NUM_DRAWS)
        if resident is not None:
            images = resident.batch(rows, augments, draws, source.size)
            return Batch(images, rows, _columns(source, rows))
        found = [_augmented(source, row, augments, draws[index]) for index, row in enumerate(rows)]
        return Batch(_stacked(found), rows, _columns(source, rows))

    return _ahead(make, groups, workers)


def eval_batches(source: Source, *, batch: int, workers: int) -> Iterator[Batch]:
    """Whole images in the source's order, every batch of the same shape (the last one padded)."""
    rows = np.arange(len(source))
    groups = [rows[start : start + batch] for start in range(0, len(rows), batch)]

    def make(rows: np.ndarray) -> Batch:
        images = [centred(_pixels(source, row), source.size) for row in rows]
        padded = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows))])
        images += [images[-1]] * (batch - len(images))
        return Batch(_stacked(images), rows, _columns(source, padded))

    return _ahead(make, groups, workers)


def _stacked(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, C, S, S) with the channels last in memory, as the cache has them."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def _columns(source: Source, rows: np.ndarray) -> torch.Tensor | None:
    return None if source.columns is None else torch.from_numpy(source.columns[rows])


def _pixels(source: Source, row: int) -> torch.Tensor:
    return torch.tensor(source.get(source.hashes[row])).permute(2, 0, 1)


def _augmented(
    source: Source, row: int, augments: Sequence[Augment], draws: np.ndarray
) -> torch.Tensor:
    image = _pixels(source, row)
    if not augments:
        return centred(image, source.size)
    for index, augment in enumerate(augments):
        image = augment(image, draws[index * NUM_DRAWS : (index + 1) * NUM_DRAWS].tolist())
    return resized(image, source.size)


def _ahead(
    make: Callable[[np.ndarray], Batch], groups: Sequence[np.ndarray], workers: int
) -> Iterator[Batch]:
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
