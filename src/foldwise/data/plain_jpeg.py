"""JPEGs that need no thought, decoded by simplejpeg: Pillow's pixels in less time."""

from __future__ import annotations

import numpy as np

from foldwise.data.decode import ImageInfo

#: Starts the part of a file that may tell an orientation; cannot occur among the coded pixels.
_APP1 = b"\xff\xe1"
#: Mode of the file → channels that both libraries make of it alike.
_CHANNELS = {"L": (1, 3), "RGB": (3,)}


def decode_plain(data: bytes, info: ImageInfo, channels: int) -> np.ndarray | None:
    """The pixels of a JPEG that Pillow has decoded before without complaint.

    Both use libjpeg-turbo with the exact transform, so the pixels are the same.

    Args:
        data: the file's bytes.
        info: what Pillow said of them.
        channels: 1 or 3.

    Returns:
        (H, W, C) uint8, or None for a file that is left to Pillow.
    """
    if info.format != "JPEG" or channels not in _CHANNELS.get(info.mode, ()) or _APP1 in data:
        return None
    # Here because only caches without pixels need it.
    from simplejpeg import decode_jpeg

    try:
        pixels: np.ndarray = decode_jpeg(data, colorspace="RGB" if channels == 3 else "GRAY")
    except ValueError:  # Something that Pillow has no objection to, as bytes behind the end.
        return None
    return pixels
