"""Pictures and files that several tests of the data package need."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def photo(height: int, width: int, channels: int = 3, *, seed: int = 0) -> np.ndarray:
    """Smooth colours with some noise, (H, W, C) uint8; (H, W) for one channel."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 5, channels), dtype=np.uint8)
    bands = [
        np.asarray(Image.fromarray(coarse[..., c]).resize((width, height), Image.BICUBIC))
        for c in range(channels)
    ]
    noisy = np.dstack(bands) + rng.normal(0, 4, (height, width, channels))
    pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return pixels if channels > 1 else pixels[:, :, 0]


def coded(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand: header, then the chunks given."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def png_16_bit(values: np.ndarray, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG of (H, W, C) values: colour type 0 grey, 2 RGB, 4 grey + alpha, 6 RGBA."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    height, width = values.shape[:2]
    return png(width, height, 16, colour, *chunks, (b"IDAT", zlib.compress(rows)))
