"""JPEGs that need no thought, decoded by simplejpeg: Pillow's pixels in less time."""

from __future__ import annotations

import numpy as np

from foldwise.data.decode import ImageInfo

#: Starts the part of a file that may tell an orientation; cannot occur among the coded pixels.
_APP1 = b"\xff\xe1"
#: Mode of the file → channels that both libraries make of it alike.
_CHANNELS = {"L": (1, 3), "RGB": (3,)}
#: Frames whose rows are coded one after the other: baseline and extended, by Huffman's code.
_SEQUENTIAL = (0xC0, 0xC1)
_SCAN = 0xDA
_BLOCK = 8


def decode_plain(
    data: bytes, info: ImageInfo, channels: int, *, bottom: int | None = None
) -> np.ndarray | None:
    """The pixels of a JPEG that Pillow has decoded before without complaint.

    Both use libjpeg-turbo with the exact transform, so the pixels are the same.

    Args:
        data: the file's bytes.
        info: what Pillow said of them.
        channels: 1 or 3.
        bottom: rows from there on are not needed, and not decoded where the file allows it; only
            for data that were decoded whole before: what is wrong with them goes unnoticed.

    Returns:
        (H, W, C) uint8, H at least `bottom`; or None for a file that is left to Pillow.
    """
    if info.format != "JPEG" or channels not in _CHANNELS.get(info.mode, ()) or _APP1 in data:
        return None
    # Here because only caches without pixels need it.
    from simplejpeg import decode_jpeg

    shorter = None if bottom is None else _ending_at(data, bottom)
    try:
        pixels: np.ndarray = decode_jpeg(
            data if shorter is None else shorter,
            colorspace="RGB" if channels == 3 else "GRAY",
            strict=shorter is None,  # Else the rows that are left out would be an objection.
        )
    except ValueError:  # Something that Pillow has no objection to, as bytes behind the end.
        return None
    return pixels


def _ending_at(data: bytes, bottom: int) -> bytes | None:
    """The file with a header that says it ends soon below a row; None: it cannot, or need not."""
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF and data[place + 1] != _SCAN:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if kind in _SEQUENTIAL:
            frame = data[place : place + 2 + length]
            tallest = max(factors & 0x0F for factors in frame[11::3])
            units = -(-bottom // (_BLOCK * tallest))
            # Colours of the last rows are drawn from rows below them.
            rows = (units + 1) * _BLOCK * tallest
            at = place + 5
            if rows >= int.from_bytes(data[at : at + 2]):
                return None
            return data[:at] + rows.to_bytes(2) + data[at + 2 :]
        place += 2 + length
    return None
