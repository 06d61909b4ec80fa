"""Samples at the size that their images have, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from foldwise.data.batches import Batch, Source, ahead
from foldwise.errors import DataError


def single_batches(source: Source, *, workers: int) -> Iterator[Batch]:
    """Each sample as a batch of its own, (1, V * C, H, W), in the source's order.

    Args:
        source: the images; table columns are left out.
        workers: threads that read images ahead; 0: none. The result is the same.
    """

    def make(row: int) -> Batch:
        pixels = np.concatenate(own_pixels(source, row), axis=2)
        images = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        return Batch(images, np.array([row]))

    return ahead(make, range(len(source)), workers)


def own_pixels(source: Source, row: int) -> list[np.ndarray]:
    """(H, W, C) uint8 of each image of a sample, all of one size.

    Raises:
        DataError: they are not.
    """
    pixels = [source.get(sha256) for sha256 in source.hashes_of(row)]
    sizes = {each.shape[:2] for each in pixels}
    if len(sizes) > 1:
        listed = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise DataError(
            f"images of one sample differ in size, so its masks fit one of them at most: {listed}",
            remedy="choose one with input.images",
        )
    return pixels
