"""Maps by the one forward pass: views averaged, brought to each sample's size, one at a time."""

from __future__ import annotations

import time
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
    timed: Callable[[float], None] = lambda seconds: None,
    divided: bool = True,
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
        timed: called with the seconds of each pass, what is done once for all views aside:
            reading, resizing, keeping.
        divided: whether each pixel's sum is divided by the weights of the views that showed it;
            False, for a single view: it stays as it is, less where the view showed less of it.

    Returns:
        What `keep` gives.

    Raises:
        RunError: memory runs out with one image at a time.
    """

    def maps(batch: int) -> Iterator[np.ndarray]:
        sums = weights = torch.empty(0)
        for rows, view, logits, began in passes(
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
            means = sums / weights if divided else sums
            timed(_since(began, device))
            if view is views[-1]:
                for row, mean in zip(rows.tolist(), means, strict=True):
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
    timed: Callable[[float], None] = lambda seconds: None,
    divided: bool = True,
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
        timed: as in `infer_maps`.
        divided: the same.

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
        size = (image.shape[2], image.shape[3])
        return mean_map(views, maps, size)[0] if divided else views[0].maps(maps[0], size)[0][0]

    def maps(batch: int) -> Iterator[np.ndarray]:
        for item in single_batches(source, workers=workers):
            began = time.monotonic()
            with computing(device, autocast):
                found = mean(item.images.to(device, non_blocking=True), batch)
            timed(_since(began, device))
            yield to_levels(found.cpu().numpy())
            progress(int(item.rows[0]) + 1)

    return halving(lambda batch: keep(maps(batch)), batch=batch, halved=halved)


def shown_share(view: View, side: int | None, size: tuple[int, int]) -> np.ndarray | None:
    """What of each pixel of a sample a view has shown, as its single map is to be divided by.

    Args:
        view: what was shown.
        side: of the square that the image was stretched to, pixels; None: it was not.
        size: of the image.

    Returns:
        (H, W) float32 in [0, 1]; None: all of each.
    """
    before = size if side is None else (side, side)
    weights = view.maps(torch.zeros(1, 1, *view.sizes(before)[-1]), before)[1] / view.weight
    if bool((weights > 1 - 1e-6).all()):
        return None
    return _resized(weights[0], *size)[0].numpy()


def _since(began: float, device: torch.device) -> float:
    """Seconds from then on, on the monotonic clock, all that was asked of the device done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic() - began


def _resized(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(C, h, w) float → (C, height, width)."""
    if maps.shape[1:] == (height, width):
        return maps
    shrinks = height < maps.shape[1] or width < maps.shape[2]
    return functional.interpolate(
        maps[None], (height, width), mode="bilinear", align_corners=False, antialias=shrinks
    )[0]
