"""Augmentations that change pixels where they are: colour, sharpness, noise, compression."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torchvision.transforms.v2 import functional as F

from foldwise.data.draws import Share, between, generator


def jitter(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
) -> torch.Tensor:
    """Brightness, contrast and (for three channels) saturation times 1 ± the given range."""
    reach = (brightness, contrast, saturation)
    factors = torch.tensor(
        [1 + between(draw, -each, each) for draw, each in zip(draws, reach, strict=False)]
    )
    mean = torch.tensor(int(image.sum()) / image.numel(), dtype=torch.float32)
    return jittered(image, mean, *factors, saturates=bool(saturation))


def jittered(
    images: torch.Tensor,
    means: torch.Tensor,
    brightness: torch.Tensor,
    contrast: torch.Tensor,
    saturation: torch.Tensor,
    *,
    saturates: bool,
) -> torch.Tensor:
    """Images with the given factors of brightness, contrast and saturation.

    Args:
        images: (..., C, H, W) uint8.
        means: float32 like the factors, of all levels of each image.
        brightness: float32 that broadcasts over the images.
        contrast: the same.
        saturation: the same; used for three channels alone.
        saturates: whether it is used at all.

    Returns:
        uint8 of the same shape.
    """
    means = means * brightness
    pixels = means + (images.float() * brightness - means) * contrast
    if saturates and images.shape[-3] == 3:
        red, green, blue = pixels.unbind(-3)
        grey = ((red + green + blue) / 3).unsqueeze(-3)
        pixels = grey + (pixels - grey) * saturation
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def blur(
    image: torch.Tensor, draws: Sequence[float], *, p: float = 0.3, sigma: float = 1.5
) -> torch.Tensor:
    """With probability `p` blurred by a Gaussian of 0.1 to `sigma` pixels."""
    if draws[0] >= p:
        return image
    width = between(draws[1], 0.1, sigma)
    side = 2 * math.ceil(2 * sigma) + 1
    blurred: torch.Tensor = F.gaussian_blur_image(image, [side, side], [width, width])
    return blurred


def sharpness(
    image: torch.Tensor, draws: Sequence[float], *, p: Share = 0.5, strength: Share = 0.9
) -> torch.Tensor:
    """With probability `p` between smoothed and sharpened: factor 1 ± up to `strength`."""
    if draws[0] >= p:
        return image
    factor = 1 + between(draws[1], -strength, strength)
    return on_colours(image, lambda colours: F.adjust_sharpness_image(colours, factor))


def noise(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    p: Share = 0.5,
    sigma: Annotated[float, Field(ge=0, le=255)] = 10.0,
) -> torch.Tensor:
    """With probability `p` Gaussian noise of 0 to `sigma` grey levels on every channel."""
    rng = generator(draws)
    if rng.random() >= p:
        return image
    spread = np.float32(sigma * rng.random())
    added = rng.standard_normal(image.shape[1:] + image.shape[:1], np.float32) * spread
    # Drawn pixel by pixel, as images from the cache lie in memory.
    pixels = image.float() + torch.from_numpy(added).permute(2, 0, 1)
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def jpeg(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    p: Share = 0.5,
    quality: tuple[Annotated[int, Field(ge=1, le=100)], Annotated[int, Field(ge=1, le=100)]] = (
        40,
        95,
    ),
) -> torch.Tensor:
    """With probability `p` saved as a JPEG of a quality in the range, and read again."""
    if draws[0] >= p:
        return image
    lowest, highest = min(quality), max(quality)
    drawn = lowest + int(draws[1] * (highest - lowest + 1))
    return on_colours(image, lambda colours: _resaved(colours, drawn))


def equalize(image: torch.Tensor, draws: Sequence[float], *, p: Share = 0.5) -> torch.Tensor:
    """With probability `p` each channel's levels become equally frequent."""
    return image if draws[0] >= p else on_colours(image, F.equalize_image)


def autocontrast(image: torch.Tensor, draws: Sequence[float], *, p: Share = 0.5) -> torch.Tensor:
    """With probability `p` each channel is stretched to go from 0 to 255."""
    return image if draws[0] >= p else on_colours(image, stretched)


def posterize(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    p: Share = 0.5,
    bits: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]] = (4, 7),
) -> torch.Tensor:
    """With probability `p` only the highest bits of each level are kept, as many as drawn."""
    if draws[0] >= p:
        return image
    lowest, highest = min(bits), max(bits)
    kept = lowest + int(draws[1] * (highest - lowest + 1))
    return on_colours(image, lambda colours: F.posterize_image(colours, kept))


def solarize(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    p: Share = 0.2,
    threshold: Annotated[float, Field(ge=0, le=255)] = 128,
) -> torch.Tensor:
    """With probability `p` levels of `threshold` and above are inverted."""
    if draws[0] >= p:
        return image
    return on_colours(image, lambda colours: F.solarize_image(colours, threshold))


def on_colours(image: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """An image of any number of channels through a kernel that takes one or three.

    Args:
        image: (C, H, W) uint8.
        change: (..., 1 or 3, H, W) → the same. Of four channels the last, alpha, is left as it
            is; any other number goes through channel by channel.

    Returns:
        (C, H, W) uint8.
    """
    channels = image.shape[0]
    if channels in (1, 3):
        return change(image)
    if channels == 4:
        return torch.cat([change(image[:3]), image[3:]])
    return change(image[:, None])[:, 0]


def stretched(colours: torch.Tensor) -> torch.Tensor:
    """Each channel from 0 to 255; channel by channel in memory it takes a fifth of the time."""
    found: torch.Tensor = F.autocontrast_image(colours.contiguous())
    return found


def _resaved(images: torch.Tensor, quality: int) -> torch.Tensor:
    """Through a JPEG file in memory, by Pillow: torchvision's codecs are deprecated."""
    if images.ndim == 4:
        return torch.stack([_resaved(image, quality) for image in images])
    pixels = images.permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
        file, "JPEG", quality=quality
    )
    read = np.array(Image.open(file)).reshape(pixels.shape)
    return torch.from_numpy(read).permute(2, 0, 1)
