"""Training batches of images with their masks, both drawn and cut on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from foldwise import seeding
from foldwise.data.batches import Batch, Source, ahead, drawn_groups
from foldwise.data.mask_augment import MaskAugments
from foldwise.data.mask_windows import class_pixels, mask_pixels
from foldwise.data.own_size import own_pixels
from foldwise.masks import IGNORED
from foldwise.masks.runs import Runs


@dataclass(frozen=True)
class Truth:
    """What is to be found in the images of a source.

    Attributes:
        masks: N * K masks, sample by sample, those of its classes one after the other.
        num_classes: K.
        is_exclusive: whether each pixel has one class.
        ignored: N masks of pixels that do not count; None: all count.
    """

    masks: Runs
    num_classes: int
    is_exclusive: bool
    ignored: Runs | None = None

    def of(self, row: int) -> Runs:
        """The K masks of a sample."""
        return self.masks.take(np.arange(row * self.num_classes, (row + 1) * self.num_classes))

    def take(self, rows: np.ndarray) -> Truth:
        """The samples given by position or mask."""
        numbers = np.arange(len(self.masks)).reshape(-1, self.num_classes)[rows]
        ignored = None if self.ignored is None else self.ignored.take(np.arange(len(self))[rows])
        return replace(self, masks=self.masks.take(numbers.ravel()), ignored=ignored)

    def __len__(self) -> int:
        return len(self.masks) // self.num_classes

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) int64 height and width of the masks of each sample, pixels."""
        first = slice(None, None, self.num_classes)
        return np.stack([self.masks.heights[first], self.masks.widths[first]], axis=1)

    def present(self) -> np.ndarray:
        """(N, K) bool, which classes are in each sample."""
        found: np.ndarray = self.masks.counts.reshape(-1, self.num_classes) > 0
        return found


def train_mask_batches(
    source: Source,
    truth: Truth,
    order: np.ndarray,
    *,
    batch: int,
    augments: MaskAugments,
    key: int,
    workers: int,
    first: int = 0,
) -> Iterator[Batch]:
    """Augmented batches over `order`; a row that stands there again is augmented anew.

    Args:
        source: the images; those of one sample are moved and changed alike.
        truth: its masks.
        order: (n,) rows, from `epoch_order`.
        batch: most images in one.
        augments: bound augmentations.
        key: of seed, fold and epoch, for the augmentation draws.
        workers: threads that prepare batches ahead; 0: none. The result is the same.
        first: batches that are left out at the start.

    Yields:
        Images, and as their target (B, K, h, w) uint8 of 0 and 1, or (B, h, w) uint8 classes;
        `IGNORED` where a pixel does not count.

    Raises:
        DataError: images of one sample differ in size.
    """

    def make(part: tuple[np.ndarray, np.ndarray]) -> Batch:
        rows, drawn_for = part
        draws = seeding.uniforms(key, drawn_for, augments.num_draws).tolist()
        shown = [
            _shown(source, truth, int(row), augments, own)
            for row, own in zip(rows, draws, strict=True)
        ]
        images, targets = zip(*shown, strict=True)
        columns = None if source.columns is None else torch.from_numpy(source.columns[rows])
        return Batch(
            torch.stack(images).contiguous(memory_format=torch.channels_last),
            rows,
            columns,
            torch.from_numpy(np.stack(targets)),
        )

    return ahead(make, drawn_groups(source, order, batch)[first:], workers)


def _shown(
    source: Source,
    truth: Truth,
    row: int,
    augments: MaskAugments,
    draws: list[float],
) -> tuple[torch.Tensor, np.ndarray]:
    """(V * C, h, w) images of a sample and its target."""
    pixels = own_pixels(source, row)
    shown = pixels[0].shape[:2]
    masks = truth.of(row)
    placement = augments.placement(shown, masks, draws)
    image = torch.cat([augments.image(each, placement, draws) for each in pixels])
    target = mask_pixels(masks, placement, shown)
    if truth.ignored is not None:
        hidden = mask_pixels(truth.ignored.take(np.array([row])), placement, shown)
        target[:, hidden[0] == 1] = IGNORED
    return image, class_pixels(target) if truth.is_exclusive else target
