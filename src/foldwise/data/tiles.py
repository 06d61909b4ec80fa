"""Large images in overlapping tiles: where they lie, how much each counts, and their blend."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch

from foldwise.data.boxes import Box


@dataclass(frozen=True)
class Axis:
    """Tiles along one side of an image.

    Attributes:
        starts: (T,) int64 first pixel of each, evenly spread: the last one ends where the side
            does.
        weights: (T, L) float32 how much each pixel of a tile of L counts; what lies over one
            pixel of the image sums to 1.
    """

    starts: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=256)
def tile_axis(side: int, tile: int, overlap: float) -> Axis:
    """Where tiles lie along a side and how much their pixels count.

    A tile counts most in its middle and least at its rim, where the network has seen least of
    what is around; it counts for something everywhere.

    Args:
        side: pixels of the image.
        tile: pixels of a tile; a shorter side is one tile of its own length.
        overlap: least share of a tile that the next one has too, in [0, 1).

    Returns:
        As few tiles as go.
    """
    length = min(tile, side)
    step = max(length - math.ceil(length * overlap), 1)
    starts = np.rint(np.linspace(0, side - length, -(-(side - length) // step) + 1))
    starts = starts.astype(np.int64)
    # Half a pixel from the rim, so that it is never 0.
    window = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    places = starts[:, None] + np.arange(length)
    total = np.bincount(places.ravel(), np.tile(window, len(starts)), minlength=side)
    return Axis(starts, (window / total[places]).astype(np.float32))


def tile_boxes(height: int, width: int, tile: tuple[int, int], overlap: float) -> list[Box]:
    """Tiles of an image, row by row.

    Args:
        height: of the image.
        width: of the image.
        tile: height and width of a tile, cut to the image.
        overlap: as `tile_axis` takes it, in both directions.

    >>> [(box.top, box.left) for box in tile_boxes(4, 10, (4, 4), 0.25)]
    [(0, 0), (0, 3), (0, 6)]
    """
    rows, columns = tile_axis(height, tile[0], overlap), tile_axis(width, tile[1], overlap)
    size = (min(tile[0], height), min(tile[1], width))
    return [Box(int(y), int(x), *size) for y, x in product(rows.starts, columns.starts)]


def blend(
    forward: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    *,
    tile: tuple[int, int],
    overlap: float,
    batch: int,
) -> torch.Tensor:
    """A network's maps of one image, tile by tile, without seams.

    Args:
        forward: (B, C, h, w) → (B, K, h, w); of probabilities, so that a tile that is sure of
            nothing is not shouted down by the logits of the next.
        image: (C, H, W).
        tile: height and width of a tile, cut to the image.
        overlap: least share of a tile that the next one has too, in [0, 1).
        batch: most tiles in one pass.

    Returns:
        (K, H, W) float32, on the device of what `forward` gives. What does not depend on the
        pixels around is as of the whole image, to about 1e-6.
    """
    height, width = image.shape[1:]
    boxes = tile_boxes(height, width, tile, overlap)
    down, across = (
        dict(zip(axis.starts.tolist(), torch.from_numpy(axis.weights), strict=True))
        for axis in (tile_axis(height, tile[0], overlap), tile_axis(width, tile[1], overlap))
    )
    found: torch.Tensor | None = None
    for start in range(0, len(boxes), batch):
        group = boxes[start : start + batch]
        maps = forward(torch.stack([_part(image, box) for box in group]))
        if found is None:
            found = torch.zeros(maps.shape[1], height, width, device=maps.device)
        for box, each in zip(group, maps, strict=True):
            weights = down[box.top][:, None] * across[box.left]
            _part(found, box).add_(each.float() * weights.to(each.device))
    assert found is not None, "every image has a tile"
    return found


def cut(image: torch.Tensor, *, tile: tuple[int, int], overlap: float) -> torch.Tensor:
    """(C, H, W) image → (T, C, h, w) its tiles; arguments as of `blend`."""
    boxes = tile_boxes(image.shape[1], image.shape[2], tile, overlap)
    return torch.stack([_part(image, box) for box in boxes])


def _part(image: torch.Tensor, box: Box) -> torch.Tensor:
    return image[:, box.top : box.top + box.height, box.left : box.left + box.width]
