"""From an opened picture to what a cache stores of it, and back to pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from foldwise.data.decode import Picture, as_picture, as_pixels, decode, preview, to_channels
from foldwise.data.shape import fit
from foldwise.data.spec import THUMB, CacheSpec, Store
from foldwise.data.steps import apply_steps
from foldwise.errors import ConfigError

_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Stored:
    """One image as a cache keeps it.

    Attributes:
        shape: (H, W, C) of the pixels.
        data: the pixels' bytes in that order, a JPEG file, or nothing (store `none`).
    """

    shape: tuple[int, int, int]
    data: bytes | memoryview


def render(picture: Picture, spec: CacheSpec) -> np.ndarray:
    """The picture as the spec wants it, (h, w, C) uint8: channels, then steps, then shape.

    Raises:
        DataError: the picture has a number of channels that the spec cannot take.
    """
    # Thumbnails are for the eye: they are made of any number of channels.
    planes = preview(picture) if spec == THUMB else to_channels(picture, spec.channels)
    if spec.steps:
        planes = as_picture(apply_steps(as_pixels(planes), spec.steps))
    return fit(planes, size_px=spec.size_px, rule=spec.fit)


def encode(pixels: np.ndarray, store: Store) -> Stored:
    """Pixels (H, W, C) uint8 in the form of a store.

    Raises:
        ConfigError: JPEG cannot hold that number of channels.
    """
    height, width, channels = pixels.shape
    shape = (height, width, channels)
    if store == "raw":
        return Stored(shape, pixels.tobytes())
    if store == "none":
        return Stored(shape, b"")
    if channels not in (1, 3):
        raise ConfigError(
            f"store: jpeg keeps 1 or 3 channels, found {channels}", remedy="set input.store: raw"
        )
    file = io.BytesIO()
    image = as_picture(pixels)
    assert isinstance(image, Image.Image)
    image.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return Stored(shape, file.getvalue())


def pixels_of(stored: Stored, store: Store) -> np.ndarray:
    """The pixels that `encode` was given; for `jpeg` nearly."""
    assert store != "none", "a cache without pixels"
    if store == "raw":
        return np.frombuffer(stored.data, np.uint8).reshape(stored.shape)
    return decode(bytes(stored.data), channels=stored.shape[2]).pixels
