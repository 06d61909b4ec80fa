"""The one rule by which images of any shape get the recipe's size."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from PIL import Image

from foldwise.data.decode import Picture, as_pixels

Fit = Literal["stretch", "pad", "shorter_side", "native"]
FITS: tuple[str, ...] = get_args(Fit)

#: The longer side under `shorter_side`, in multiples of the shorter; the rest is cut off.
MAX_ASPECT = 4

# Bicubic with the support of the scale: what ImageNet weights were mostly scored with, sharp
# enough for the second resampling in the loader. Measured for 512 -> 258 px: 2.9 ms, bilinear
# 1.9 ms, once per image. Above three times the size an exact integer reduction comes first:
# for a 12-megapixel photo 25 ms instead of 92, and at most one level off (four in pure noise).
_FILTER = Image.Resampling.BICUBIC
_REDUCING_GAP = 3.0


def fit(picture: Picture, *, size_px: int, rule: Fit) -> np.ndarray:
    """The picture at a recipe's size; smaller pictures are enlarged.

    Channels are resampled each on its own, alpha too (colours are not weighted by it).

    Args:
        picture: of any shape.
        size_px: S.
        rule: `stretch`: (S, S), aspect lost. `pad`: (S, S), aspect kept, centred on black (and,
            with 4 channels, transparent). `shorter_side`: shorter side S, longer side in
            proportion, at most 4 S: what is longer is cut at both ends alike. `native`: as it is.

    Returns:
        (h, w, C) uint8.
    """
    height, width = picture.shape[:2] if isinstance(picture, np.ndarray) else picture.size[::-1]
    if rule == "native":
        return as_pixels(picture) if isinstance(picture, Image.Image) else picture
    if rule == "stretch":
        return _resized(picture, (size_px, size_px), None)
    if rule == "pad":
        scale = size_px / max(width, height)
        inner = _resized(picture, (_side(width * scale), _side(height * scale)), None)
        return _centred(inner, size_px)
    left, top, kept_w, kept_h = kept_part(width, height, rule)
    box = (left, top, left + kept_w, top + kept_h)
    scale = size_px / min(width, height)
    return _resized(picture, (_side(kept_w * scale), _side(kept_h * scale)), box)


def kept_part(width: int, height: int, rule: Fit) -> tuple[float, float, int, int]:
    """What of a picture is left: left, top, width, height in its pixels."""
    if rule != "shorter_side":
        return 0.0, 0.0, width, height
    longest = MAX_ASPECT * min(width, height)
    kept_w, kept_h = min(width, longest), min(height, longest)
    return (width - kept_w) / 2, (height - kept_h) / 2, kept_w, kept_h


def _side(length: float) -> int:
    return max(1, round(length))


def _resized(
    picture: Picture, size: tuple[int, int], box: tuple[float, float, float, float] | None
) -> np.ndarray:
    if isinstance(picture, Image.Image) and picture.mode in ("L", "RGB"):
        if picture.size == size and box is None:
            return as_pixels(picture)
        return as_pixels(picture.resize(size, _FILTER, box=box, reducing_gap=_REDUCING_GAP))
    # One by one: Pillow's RGBA resize multiplies the colours by alpha and loses those under 0.
    bands = (
        picture.split()
        if isinstance(picture, Image.Image)
        else [Image.fromarray(np.ascontiguousarray(band)) for band in picture.transpose(2, 0, 1)]
    )
    return np.dstack([_resized(band, size, box) for band in bands])


def _centred(pixels: np.ndarray, size_px: int) -> np.ndarray:
    height, width, channels = pixels.shape
    canvas = np.zeros((size_px, size_px, channels), np.uint8)
    top, left = (size_px - height) // 2, (size_px - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas
