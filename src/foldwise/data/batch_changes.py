"""Augmentations that change pixels where they are, for a batch of images at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from foldwise.data.batch_views import Views, exponents
from foldwise.data.colours import jittered
from foldwise.data.draws import between

_GREY = 128


def cutout_batch(
    pixels: torch.Tensor,
    views: Views,
    draws: np.ndarray,
    *,
    p: float = 0.5,
    area: tuple[float, float] = (0.05, 0.2),
) -> None:
    """`cutout` of each image, in place.

    Args:
        pixels: (B, side, side, C) uint8, of which each view's height and width count.
        views: what is shown.
        draws: (B, ...) uniform in [0, 1).
        p: as of `cutout`.
        area: as of `cutout`.
    """
    heights, widths = views.heights, views.widths
    share = heights * widths * between(draws[:, 1], *area)
    aspect = exponents(between(draws[:, 2], -0.7, 0.7))
    h = np.clip(np.rint(np.sqrt(share / aspect)).astype(int), 1, heights)
    w = np.clip(np.rint(np.sqrt(share * aspect)).astype(int), 1, widths)
    top = (draws[:, 3] * (heights - h + 1)).astype(int)
    left = (draws[:, 4] * (widths - w + 1)).astype(int)
    bottom = np.where(draws[:, 0] < p, top + h, top)
    rows = _inside(top, bottom, pixels)[:, :, None]
    columns = _inside(left, left + w, pixels)[:, None, :]
    pixels.masked_fill_((rows & columns)[..., None], _GREY)


def jitter_batch(
    pixels: torch.Tensor,
    views: Views,
    draws: np.ndarray,
    *,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
) -> None:
    """`jitter` of each image, in place.

    Args:
        pixels: (B, side, side, C) uint8, of which each view's height and width count.
        views: what is shown.
        draws: (B, ...) uniform in [0, 1).
        brightness: as of `jitter`.
        contrast: as of `jitter`.
        saturation: as of `jitter`.
    """
    reach = (brightness, contrast, saturation)
    factors = np.stack(
        [1 + between(draws[:, place], -each, each) for place, each in enumerate(reach)]
    )
    images = pixels.permute(0, 3, 1, 2)
    planes = images.contiguous()  # Runs of one channel: half of the time.
    counted = planes
    if (views.heights < views.side).any() or (views.widths < views.side).any():
        starts = np.zeros_like(views.heights)
        rows = _inside(starts, views.heights, pixels)[:, None, :, None]
        counted = planes * (rows & _inside(starts, views.widths, pixels)[:, None, None, :])
    levels = counted.sum(dim=(1, 2, 3)).cpu().numpy()
    means = levels / (views.heights * views.widths * pixels.shape[-1])
    each = torch.from_numpy(np.stack([means, *factors])).float().to(pixels.device)
    images.copy_(jittered(planes, *each[:, :, None, None, None], saturates=bool(saturation)))


def _inside(first: np.ndarray, end: np.ndarray, pixels: torch.Tensor) -> torch.Tensor:
    """(B, side) bool: the places from `first` to before `end`."""
    places = np.arange(pixels.shape[1])
    found = (places >= first[:, None]) & (places < end[:, None])
    return torch.from_numpy(found).to(pixels.device)


#: Name of an augmentation that leaves pixels where they are → the same for a batch, in place.
CHANGES: dict[str, Callable[..., None]] = {"cutout": cutout_batch, "jitter": jitter_batch}
