"""A whole set of small images in the device's memory, augmented there batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from foldwise.data.augment import AUGMENTS, Augment
from foldwise.data.batch_changes import CHANGES
from foldwise.data.batch_resize import is_exact, resizer
from foldwise.data.batch_views import MOVES, Views
from foldwise.data.draws import NUM_DRAWS
from foldwise.device import num_cores

_LARGEST_SIDE = 64
_MOST_BYTES = 1 << 29
_NAMES = {function: name for name, function in AUGMENTS.items()}


@dataclass(frozen=True)
class Resident:
    """Square images of one side, a number for each pixel.

    Attributes:
        words: (N, side * side) int32, the four bytes of which are a pixel's channels.
        side: in pixels.
        channels: 1 to 4.
    """

    words: torch.Tensor
    side: int
    channels: int

    def batch(
        self, rows: np.ndarray, augments: Sequence[Augment], draws: np.ndarray, size: int
    ) -> torch.Tensor:
        """Augmented images, to the bits of those made one by one.

        Args:
            rows: (B,) of the set.
            augments: bound, in order.
            draws: (B, `NUM_DRAWS` for each augmentation).
            size: side of the network's input.

        Returns:
            (B, C, size, size) uint8 on the device, channels last in memory.
        """
        shown, views, places = self, Views.whole(len(rows), self.side), rows
        for index, augment in enumerate(augments):
            name, options = _named(augment)
            own = draws[:, index * NUM_DRAWS : (index + 1) * NUM_DRAWS]
            if name in MOVES:
                views = MOVES[name](views, own, **options)
                continue
            pixels = shown._pixels(views, places)
            if name in CHANGES:
                CHANGES[name](pixels[..., : self.channels], views, own, **options)
            else:
                _change_each(pixels[..., : self.channels], views, augment, own)
            shown = Resident(pixels.view(torch.int32).view(len(rows), -1), self.side, self.channels)
            places = np.arange(len(rows))
            views = views.settled()
        pixels = shown._pixels(views, places)[..., : self.channels]
        if size == self.side and (views.heights == size).all() and (views.widths == size).all():
            return pixels.clone(memory_format=torch.contiguous_format).permute(0, 3, 1, 2)
        device = pixels.device
        heights, widths = (torch.from_numpy(s).to(device) for s in (views.heights, views.widths))
        return resizer(self.side, size, device)(pixels, heights, widths)

    def _pixels(self, views: Views, places: np.ndarray) -> torch.Tensor:
        """(B, side, side, 4) uint8 of the views."""
        rows, columns = views.offsets()
        rows = rows + places[:, None] * self.side**2
        device = self.words.device
        where = torch.from_numpy(rows).to(device)[:, :, None]
        where = where + torch.from_numpy(columns).to(device)[:, None, :]
        # A fifth of the time that indexing by `where` takes.
        found = self.words.view(-1).index_select(0, where.view(-1))
        return found.view(*where.shape, 1).view(torch.uint8)


def hold(
    get: Callable[[str], np.ndarray],
    hashes: np.ndarray,
    augments: Sequence[Augment],
    *,
    sizes: Iterable[int],
    device: torch.device,
) -> Resident | None:
    """The images on the device, or None where making batches one by one is better or needed.

    That is: images of several sizes, not square, of more than 64 px or too many for memory; a
    resize that this machine computes otherwise for one image; and, away from the CPU, an
    augmentation that is known for single images alone.

    Args:
        get: content hash → (H, W, C) uint8 pixels.
        hashes: (N,) content hashes.
        augments: bound, in order.
        sizes: of the network's input.
        device: that trains.
    """
    if hashes.ndim != 1 or not len(hashes):
        return None
    height, width, channels = get(hashes[0]).shape
    fits = height == width <= _LARGEST_SIDE and 4 * height * width * len(hashes) <= _MOST_BYTES
    known = device.type == "cpu" or all(_named(a)[0] in (*MOVES, *CHANGES) for a in augments)
    if not fits or channels > 4 or not known:
        return None
    if not all(is_exact(height, size, channels, device) for size in sizes):
        return None
    held = np.zeros((len(hashes), height, width, 4), dtype=np.uint8)
    # Side by side, since some may have to be decoded.
    with ThreadPoolExecutor(num_cores(), thread_name_prefix="resident") as pool:
        for place, pixels in enumerate(pool.map(get, hashes)):
            if pixels.shape != (height, width, channels):
                return None
            held[place, :, :, :channels] = pixels
    words = torch.from_numpy(held.view(np.int32).reshape(len(hashes), -1)).to(device)
    return Resident(words, height, channels)


def _named(augment: Augment) -> tuple[str, dict[str, Any]]:
    function = augment.func if isinstance(augment, partial) else augment
    options = augment.keywords if isinstance(augment, partial) else {}
    return _NAMES.get(function, ""), options


def _change_each(pixels: torch.Tensor, views: Views, augment: Augment, draws: np.ndarray) -> None:
    """An augmentation that keeps the shape of an image, image by image."""
    for image, h, w, own in zip(
        pixels, views.heights.tolist(), views.widths.tolist(), draws.tolist(), strict=True
    ):
        part = image[:h, :w]
        part.copy_(augment(part.permute(2, 0, 1), own).permute(1, 2, 0))
