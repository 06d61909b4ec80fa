"""16-bit values to 8 bits, also where Pillow reads only the high byte of each."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile

from foldwise.errors import DataError

_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_RAWMODES = {f"{mode};16{order}" for mode in ("RGB", "RGBA", "RGBX") for order in "BLN"}
_GREY_ALPHA = "LA;16B"


def reopened_for_low_bytes(
    image: ImageFile.ImageFile, reopen: Callable[[], ImageFile.ImageFile]
) -> ImageFile.ImageFile | None:
    """The same file once more, set to decode the low bytes; None if it has no 16-bit colours.

    It is told that the byte order is the other one, so that its high bytes are our low ones.
    """
    rawmode = _rawmode(image)
    if rawmode not in _RAWMODES and rawmode != _GREY_ALPHA:
        return None
    # Pillow lays 16-bit grey and alpha out as RGBA; read as plain RGBA all four bytes survive.
    other = "RGBA" if rawmode == _GREY_ALPHA else rawmode[:-1] + _OTHER_ORDER[rawmode[-1]]
    again = reopen()
    again.tile = [
        tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
        for tile in again.tile
    ]
    return again


def merged(image: Image.Image, again: ImageFile.ImageFile) -> Image.Image:
    """The 8-bit image of both bytes of every value.

    Raises:
        DataError: as `to_eight_bit`.
    """
    is_grey_alpha = _rawmode(again) == "RGBA"
    low = np.asarray(again)
    low = low[:, :, [1, 1, 1, 3]] if is_grey_alpha else low
    result = to_eight_bit(np.asarray(image).astype(np.uint16) << 8 | low, image)
    result.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return result


def to_eight_bit(values: np.ndarray, image: Image.Image) -> Image.Image:
    """Values divided by 257 and rounded if any exceeds 255, else as they are.

    Args:
        values: (H, W) or (H, W, C) integers.
        image: where they come from; the one colour a PNG may name as transparent becomes so.

    Raises:
        DataError: values do not fit into 16 bits.
    """
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise DataError(
            f"values from {low} to {high} do not fit into 16 bits",
            remedy="save the image with 8 or 16 bits a channel",
        )
    # 257 is odd, so adding half of it before the division rounds without ties.
    scaled = values if high <= 255 else (values.astype(np.uint32) + 128) // 257
    pixels = scaled.astype(np.uint8)
    if "transparency" not in image.info or values.shape[2:] == (4,):
        return Image.fromarray(pixels)
    differs = values != np.asarray(image.info["transparency"])
    opaque = differs.any(axis=2) if values.ndim == 3 else differs
    return Image.fromarray(np.dstack([pixels, opaque.astype(np.uint8) * 255]))


def _rawmode(image: ImageFile.ImageFile) -> str:
    args = image.tile[0].args if image.tile else ""
    return str(args[0] if isinstance(args, tuple) and args else args)
