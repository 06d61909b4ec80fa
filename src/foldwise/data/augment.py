"""Augmentations of one image; the draws come from outside, so they depend on the sample alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torchvision.transforms.v2 import functional as F

from foldwise.data.boxes import crop_box
from foldwise.data.colours import (
    autocontrast,
    blur,
    equalize,
    jitter,
    jpeg,
    noise,
    posterize,
    sharpness,
    solarize,
)
from foldwise.data.draws import Share, between, generator
from foldwise.data.policies import aug_mix, rand_augment, trivial_augment

Augment = Callable[[torch.Tensor, Sequence[float]], torch.Tensor]


def crop(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    scale: tuple[float, float] = (0.6, 1.0),
    ratio: tuple[float, float] = (0.8, 1.25),
) -> torch.Tensor:
    """A random part of the image, by share of its area and aspect ratio (width over height).

    As the first augmentation it is drawn before any pixels are touched: the rest of the image is
    not copied and, where originals are read (`input.store: none`), not resampled.

    Args:
        image: (C, H, W) uint8.
        draws: uniform in [0, 1).
        scale: smallest and largest share of the area.
        ratio: smallest and largest width over height, before both are cut to the image.

    Returns:
        (C, h, w) uint8 view; resized to the input size after the last augmentation.

    Source: Szegedy et al. (2015), "Going deeper with convolutions", CVPR.
    """
    box = crop_box(image.shape[1], image.shape[2], draws, scale=scale, ratio=ratio)
    return image[:, box.top : box.top + box.height, box.left : box.left + box.width]


def shift(image: torch.Tensor, draws: Sequence[float], *, fraction: float = 0.1) -> torch.Tensor:
    """Moved by up to `fraction` of each side, the edge repeated by reflection."""
    _, height, width = image.shape
    dy = round(between(draws[0], -fraction, fraction) * height)
    dx = round(between(draws[1], -fraction, fraction) * width)
    pad = [max(dx, 0), max(dy, 0), max(-dx, 0), max(-dy, 0)]
    moved: torch.Tensor = F.pad_image(image, pad, padding_mode="reflect")
    top, left = max(-dy, 0), max(-dx, 0)
    return moved[:, top : top + height, left : left + width]


def hflip(image: torch.Tensor, draws: Sequence[float], *, p: float = 0.5) -> torch.Tensor:
    """Mirrored left to right with probability `p`."""
    return image.flip(2) if draws[0] < p else image


def vflip(image: torch.Tensor, draws: Sequence[float], *, p: float = 0.5) -> torch.Tensor:
    """Mirrored top to bottom with probability `p`."""
    return image.flip(1) if draws[0] < p else image


def rot90(image: torch.Tensor, draws: Sequence[float]) -> torch.Tensor:
    """Turned by 0, 90, 180 or 270 degrees, equally likely."""
    return torch.rot90(image, int(draws[0] * 4), (1, 2))


def rotate(image: torch.Tensor, draws: Sequence[float], *, degrees: float = 15.0) -> torch.Tensor:
    """Turned by up to `degrees` either way, corners black."""
    angle = between(draws[0], -degrees, degrees)
    turned: torch.Tensor = F.rotate_image(image, angle, interpolation=F.InterpolationMode.BILINEAR)
    return turned


def cutout(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    p: float = 0.5,
    area: tuple[float, float] = (0.05, 0.2),
) -> torch.Tensor:
    """With probability `p` a rectangle of the given share of the area becomes grey (128).

    Source: DeVries and Taylor (2017), arXiv:1708.04552; Zhong et al. (2020), AAAI.
    """
    if draws[0] >= p:
        return image
    _, height, width = image.shape
    share = between(draws[1], *area)
    aspect = math.exp(between(draws[2], -0.7, 0.7))
    h = min(height, max(1, round(math.sqrt(height * width * share / aspect))))
    w = min(width, max(1, round(math.sqrt(height * width * share * aspect))))
    top, left = int(draws[3] * (height - h + 1)), int(draws[4] * (width - w + 1))
    image = image.clone()
    image[:, top : top + h, left : left + w] = 128
    return image


def erase(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    p: Share = 0.5,
    area: tuple[Share, Share] = (0.02, 0.33),
    ratio: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.3, 3.3),
    fill: Literal["black", "mean", "noise"] = "noise",
) -> torch.Tensor:
    """With probability `p` a rectangle becomes black, the image's mean colour, or noise.

    Args:
        image: (C, H, W) uint8.
        draws: uniform in [0, 1).
        p: probability.
        area: smallest and largest share of the image, before the rectangle is cut to it.
        ratio: smallest and largest width over height.
        fill: noise draws every level of every pixel alike.

    Source: Zhong et al. (2020), "Random erasing data augmentation", AAAI.
    """
    if draws[0] >= p:
        return image
    _, height, width = image.shape
    pixels = height * width * between(draws[1], *area)
    aspect = math.exp(between(draws[2], math.log(ratio[0]), math.log(ratio[1])))
    h = min(height, max(1, round(math.sqrt(pixels / aspect))))
    w = min(width, max(1, round(math.sqrt(pixels * aspect))))
    top, left = int(draws[3] * (height - h + 1)), int(draws[4] * (width - w + 1))
    erased = image.clone()
    part = erased[:, top : top + h, left : left + w]
    if fill == "noise":
        levels = generator(draws[5:]).integers(0, 256, (h, w, len(image)), np.uint8)
        part.copy_(torch.from_numpy(levels).permute(2, 0, 1))
    elif fill == "mean":
        part.copy_(image.float().mean(dim=(1, 2), keepdim=True).round_())
    else:
        part.zero_()
    return erased


def resize_into(image: torch.Tensor, place: torch.Tensor) -> None:
    """Write an image at the size of its place, antialiased; one of that size as it is.

    Args:
        image: (C, H, W) uint8.
        place: (C, S, S) uint8, written; a view of memory that lies pixel by pixel.
    """
    if image.shape == place.shape:
        place.copy_(image)
        return
    # Packed, as what it writes to: over a part of a larger image, or into channels of their own,
    # the kernel takes twice as long. It gives what torchvision's resize gives.
    packed = image[None].contiguous(memory_format=torch.channels_last)
    size = list(place.shape[1:])
    torch.ops.aten._upsample_bilinear2d_aa.out(packed, size, False, out=place[None])


def resized(image: torch.Tensor, size: int) -> torch.Tensor:
    """(C, H, W) uint8 → (C, size, size), antialiased; an image of that size is left alone."""
    if image.shape[1:] == (size, size):
        return image
    found = torch.empty(size, size, len(image), dtype=torch.uint8).permute(2, 0, 1)
    resize_into(image, found)
    return found


AUGMENTS: dict[str, Callable[..., torch.Tensor]] = {
    "crop": crop,
    "shift": shift,
    "hflip": hflip,
    "vflip": vflip,
    "rot90": rot90,
    "rotate": rotate,
    "cutout": cutout,
    "erase": erase,
    "jitter": jitter,
    "blur": blur,
    "sharpness": sharpness,
    "noise": noise,
    "jpeg": jpeg,
    "equalize": equalize,
    "autocontrast": autocontrast,
    "posterize": posterize,
    "solarize": solarize,
    "rand_augment": rand_augment,
    "trivial_augment": trivial_augment,
    "aug_mix": aug_mix,
}
