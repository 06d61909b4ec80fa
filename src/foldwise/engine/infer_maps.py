"""Maps by the one forward pass: views averaged, brought to each sample's size, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch.nn import functional

from foldwise.data.batches import Source
from foldwise.data.own_size import single_batches
from foldwise.data.tiles import blend
from foldwise.engine.infer import computing, halving, passes, tell_halved
from foldwise.maps.levels import to_levels
from foldwise.views import View
from foldwise.views.view import mean_map

T = TypeVar("T")

#: Images per pass at most, and pixels: what a decoder holds of an image grows with them.
_MOST, _PIXELS = 64, 64 * 128 * 128


def map_batch(size: int) -> int:
    """Images per pass for maps of this side, in pixels.

    >>> map_batch(64), map_batch(256), map_batch(4096)
    (64, 16, 1)
    """
    return max(1, min(_MOST, _PIXELS // size**2))


def infer_maps(
    forward: Callable[..., torch.Tensor],
    source: Source,
    sizes: np.ndarray,
    keep: Callable[[Iterator[np.ndarray]], T],
    *,
    activate: Callable[[torch.Tensor], torch.Tensor],
    views: Sequence[View],
    batch: int,
    device: torch.device,
    workers: int = 1,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
    halved: Callable[[int, str], None] = tell_halved,
) -> T:
    """Run a network of masks over all samples and views.

    Each view's logits become probabilities, which are brought back to the image and averaged by
    the views' weights: probabilities, as folds and blends average them. Then they are resized
    once, bilinear, smoothed where they shrink (`align_corners` False, so that the image's rim
    stays its rim), and rounded to 256 levels. A batch is all that is held.

    Args:
        forward: as `passes` takes it → (B, C, S, S) logits.
        source: the samples, each image of which is all of it, stretched to S x S.
        sizes: (N, 2) int, height and width that the map of each sample is to have.
        keep: takes the maps of the samples in their order, (C, H, W) uint8 levels each, as they
            come; called anew where memory runs out, with all of them.
        activate: (B, C, H, W) logits → probabilities.
        views: with distinct names; together they show every pixel.
        batch: images per pass.
        device: where to compute.
        workers: threads that prepare batches.
        autocast: half precision to compute in, or None.
        progress: called with the number of samples done.
        halved: called with the smaller batch and what the device said, before it is used.

    Returns:
        What `keep` gives.

    Raises:
        RunError: memory runs out with one image at a time.
    """

    def maps(batch: int) -> Iterator[np.ndarray]:
        sums = weights = torch.empty(0)
        for rows, view, logits, _ in passes(
            forward,
            source,
            views=views,
            batch=batch,
            device=device,
            workers=workers,
            autocast=autocast,
        ):
            found, weight = view.maps(activate(logits.float()), (source.size, source.size))
            is_first = view is views[0]
            sums, weights = (found, weight) if is_first else (sums + found, weights + weight)
            if view is views[-1]:
                for row, mean in zip(rows.tolist(), sums / weights, strict=True):
                    yield to_levels(_resized(mean, *sizes[row].tolist()).cpu().numpy())
                    progress(row + 1)

    return halving(lambda batch: keep(maps(batch)), batch=batch, halved=halved)


def infer_native(
    forward: Callable[..., torch.Tensor],
    source: Source,
    keep: Callable[[Iterator[np.ndarray]], T],
    *,
    activate: Callable[[torch.Tensor], torch.Tensor],
    views: Sequence[View],
    tile: int | None,
    overlap: float,
    batch: int,
    device: torch.device,
    workers: int = 1,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
    halved: Callable[[int, str], None] = tell_halved,
) -> T:
    """The same for images of their own size: one by one, nothing is resized.

    Args:
        forward: (B, C, h, w) uint8 or float → (B, C, h, w) logits.
        source: the samples.
        keep: as in `infer_maps`.
        activate: the same.
        views: the same; each is cut into tiles of its own.
        tile: side of the tiles that an image is seen in, pixels; None: in one piece.
        overlap: least share of a tile that the next one has too.
        batch: tiles per pass.
        device: where to compute.
        workers: threads that read images.
        autocast: half precision to compute in, or None.
        progress: called with the number of samples done.
        halved: called with the smaller batch and what the device said, before it is used.

    Returns:
        What `keep` gives.

    Raises:
        RunError: memory runs out with one tile at a time.
    """

    def probs(tiles: torch.Tensor) -> torch.Tensor:
        return activate(forward(tiles).float())

    def mean(image: torch.Tensor, batch: int) -> torch.Tensor:
        maps = []
        for view in views:
            (shown,) = view.images(image)
            height, width = shown.shape[1:]
            tiles = (tile or height, tile or width)
            maps.append(blend(probs, shown, tile=tiles, overlap=overlap, batch=batch)[None])
        return mean_map(views, maps, (image.shape[2], image.shape[3]))[0]

    def maps(batch: int) -> Iterator[np.ndarray]:
        for item in single_batches(source, workers=workers):
            with computing(device, autocast):
                found = mean(item.images.to(device, non_blocking=True), batch)
            yield to_levels(found.cpu().numpy())
            progress(int(item.rows[0]) + 1)

    return halving(lambda batch: keep(maps(batch)), batch=batch, halved=halved)


def _resized(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(C, h, w) float → (C, height, width)."""
    if maps.shape[1:] == (height, width):
        return maps
    shrinks = height < maps.shape[1] or width < maps.shape[2]
    return functional.interpolate(
        maps[None], (height, width), mode="bilinear", align_corners=False, antialias=shrinks
    )[0]
