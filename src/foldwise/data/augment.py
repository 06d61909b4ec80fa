"""Augmentations of one image; the draws come from outside, so they depend on the sample alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torchvision.transforms.v2 import functional as F

#: Uniform draws in [0, 1) that each augmentation is given.
NUM_DRAWS = 8

Augment = Callable[[torch.Tensor, Sequence[float]], torch.Tensor]


def crop(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    scale: tuple[float, float] = (0.6, 1.0),
    ratio: tuple[float, float] = (0.8, 1.25),
) -> torch.Tensor:
    """A random part of the image, by share of its area and aspect ratio (width over height).

    Args:
        image: (C, H, W) uint8.
        draws: uniform in [0, 1).
        scale: smallest and largest share of the area.
        ratio: smallest and largest width over height, before both are cut to the image.

    Returns:
        (C, h, w) uint8 view; resized to the input size after the last augmentation.

    Source: Szegedy et al. (2015), "Going deeper with convolutions", CVPR.
    """
    _, height, width = image.shape
    area = height * width * _between(draws[0], *scale)
    aspect = math.exp(_between(draws[1], math.log(ratio[0]), math.log(ratio[1])))
    w = max(1, min(width, round(math.sqrt(area * aspect))))
    h = max(1, min(height, round(math.sqrt(area / aspect))))
    top = int(draws[2] * (height - h + 1))
    left = int(draws[3] * (width - w + 1))
    part: torch.Tensor = image[:, top : top + h, left : left + w]
    return part


def shift(image: torch.Tensor, draws: Sequence[float], *, fraction: float = 0.1) -> torch.Tensor:
    """Moved by up to `fraction` of each side, the edge repeated by reflection."""
    _, height, width = image.shape
    dy = round(_between(draws[0], -fraction, fraction) * height)
    dx = round(_between(draws[1], -fraction, fraction) * width)
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
    angle = _between(draws[0], -degrees, degrees)
    turned: torch.Tensor = F.rotate_image(image, angle, interpolation=F.InterpolationMode.BILINEAR)
    return turned


def jitter(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
) -> torch.Tensor:
    """Brightness, contrast and (for three channels) saturation times 1 ± the given range."""
    pixels = image.float() * (1 + _between(draws[0], -brightness, brightness))
    mean = pixels.mean()
    pixels = mean + (pixels - mean) * (1 + _between(draws[1], -contrast, contrast))
    if image.shape[0] == 3 and saturation:
        grey = pixels.mean(dim=0, keepdim=True)
        pixels = grey + (pixels - grey) * (1 + _between(draws[2], -saturation, saturation))
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


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
    share = _between(draws[1], *area)
    aspect = math.exp(_between(draws[2], -0.7, 0.7))
    h = min(height, max(1, round(math.sqrt(height * width * share / aspect))))
    w = min(width, max(1, round(math.sqrt(height * width * share * aspect))))
    top, left = int(draws[3] * (height - h + 1)), int(draws[4] * (width - w + 1))
    image = image.clone()
    image[:, top : top + h, left : left + w] = 128
    return image


def blur(
    image: torch.Tensor, draws: Sequence[float], *, p: float = 0.3, sigma: float = 1.5
) -> torch.Tensor:
    """With probability `p` blurred by a Gaussian of 0.1 to `sigma` pixels."""
    if draws[0] >= p:
        return image
    width = _between(draws[1], 0.1, sigma)
    side = 2 * math.ceil(2 * sigma) + 1
    blurred: torch.Tensor = F.gaussian_blur_image(image, [side, side], [width, width])
    return blurred


def resized(image: torch.Tensor, size: int) -> torch.Tensor:
    """(C, H, W) uint8 → (C, size, size), antialiased; an image of that size is left alone."""
    if image.shape[1:] == (size, size):
        return image
    result: torch.Tensor = F.resize_image(image, [size, size], antialias=True)
    return result


def centred(image: torch.Tensor, size: int) -> torch.Tensor:
    """The whole image at `size`: shorter side to `size`, then the centre square."""
    _, height, width = image.shape
    if height != width:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[:, top : top + side, left : left + side]
    return resized(image, size)


def _between(draw: float, low: float, high: float) -> float:
    return low + draw * (high - low)


AUGMENTS: dict[str, Callable[..., torch.Tensor]] = {
    "crop": crop,
    "shift": shift,
    "hflip": hflip,
    "vflip": vflip,
    "rot90": rot90,
    "rotate": rotate,
    "jitter": jitter,
    "cutout": cutout,
    "blur": blur,
}
