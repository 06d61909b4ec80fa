"""Image files and arrays to upright 8-bit pixels, every mode by a stated rule."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from foldwise.data import deep_colour
from foldwise.errors import DataError

#: The only formats that are opened. The rest of Pillow's list is rarely used, and where most
#: of its security advisories come from.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
_PLUGINS = (
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    PpmImagePlugin,
)
MAX_PIXELS = 100_000_000
_ORIENTATION = 0x0112
_PREVIEW_SIDE = 64

#: An upright 8-bit picture: Pillow's L, LA, RGB or RGBA; an (H, W, C) array for other counts.
Picture = Image.Image | np.ndarray


@dataclass(frozen=True)
class ImageInfo:
    """What the source says of itself.

    Attributes:
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        mode: Pillow's mode of the file (`RGB`, `P`, `CMYK`, `I;16`...), or the array's type.
        format: `JPEG`, `PNG`..., or `array`.
        num_bytes: size of the file or the row.
    """

    width: int
    height: int
    mode: str
    format: str
    num_bytes: int


@dataclass(frozen=True)
class Decoded:
    """Pixels (H, W, C) uint8 and where they come from."""

    pixels: np.ndarray
    info: ImageInfo


def decode(data: bytes, *, channels: int, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The pixels of an image file, upright.

    Orientation is EXIF's (or XMP's); an EXIF block that cannot be read counts as upright.
    Colour profiles are ignored. Transparent pixels are laid over black for 1 and 3 channels.
    CMYK and YCCK become RGB by Pillow's plain formula. 16-bit values are divided by 257 and
    rounded if any exceeds 255, else kept. Of several frames the first is taken.

    Args:
        data: the file's bytes.
        channels: 1 (grey, ITU-R 601), 3 (RGB) or 4 (RGB and straight alpha).
        max_pixels: larger images are refused before anything is decoded.

    Raises:
        DataError: not one of `FORMATS`, damaged, truncated, too large, or floating point.
        MemoryError: the process may not have the memory this needs.
    """
    picture, info = open_bytes(data, max_pixels=max_pixels)
    return Decoded(as_pixels(to_channels(picture, channels)), info)


def open_bytes(
    data: bytes, *, max_pixels: int = MAX_PIXELS, reduce: int = 1
) -> tuple[Picture, ImageInfo]:
    """Decode a file once, before the number of channels is chosen; raises as `decode` does.

    Args:
        data: the file's bytes.
        max_pixels: larger images are refused before anything is decoded.
        reduce: 1, 2, 4 or 8: a JPEG is decoded to sides so many times shorter, rounded up, which
            averages its pixels; other formats are not.
    """
    if not data:
        raise DataError("the file is empty")
    try:
        image = _identified(data)
        if image.width * image.height > max_pixels:
            raise DataError(
                f"{image.width} x {image.height} pixels are more than the limit of "
                f"{max_pixels / 1e6:g} million",
                remedy="make it smaller, or raise decoding.max_megapixels in competition.yaml",
            )
        mode, kind = image.mode, image.format or ""
        if reduce > 1:
            image.draft(None, (max(1, image.width // reduce), max(1, image.height // reduce)))
        again = deep_colour.reopened_for_low_bytes(image, lambda: _identified(data))
        image.load()
        picture: Image.Image = image if again is None else deep_colour.merged(image, again)
        picture = _upright(picture)
        picture = _eight_bit(picture)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises any of a dozen kinds on damaged bytes.
        raise DataError(_reason(error)) from error
    return picture, ImageInfo(picture.width, picture.height, mode, kind, len(data))


def image_size(path: Path) -> tuple[int, int] | None:
    """Height and width of an image file as it is shown, from its header; None: it has none.

    What is wrong with a file is said by those who decode it.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            # Of a PNG file that says nothing in its header, Pillow would decode all pixels first.
            says_more = image.format != "PNG" or "exif" in image.info
            is_turned = says_more and image.getexif().get(_ORIENTATION, 1) in range(5, 9)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return (width, height) if is_turned else (height, width)


def open_array(pixels: np.ndarray) -> tuple[Picture, ImageInfo]:
    """Take an array's row as a picture; a fourth channel counts as alpha.

    Args:
        pixels: (H, W) or (H, W, C) uint8.

    Raises:
        DataError: another type or shape.
    """
    if pixels.dtype != np.uint8:
        raise DataError(
            f"an array of {pixels.dtype} is no image; 8-bit unsigned numbers are needed",
            remedy="scale the values to 0..255 and save them with .astype(numpy.uint8)",
        )
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise DataError(f"an image array is (H, W) or (H, W, C), found shape {pixels.shape}")
    info = ImageInfo(pixels.shape[1], pixels.shape[0], "uint8", "array", pixels.nbytes)
    return as_picture(pixels if pixels.ndim == 3 else pixels[:, :, None]), info


def to_channels(picture: Picture, channels: int) -> Picture:
    """The picture in 1, 3 or 4 channels, or unchanged if it has that number.

    Raises:
        DataError: the picture cannot have that number of channels.
    """
    if isinstance(picture, np.ndarray):
        if picture.shape[2] == channels:
            return picture
        raise DataError(
            f"the array has {picture.shape[2]} channels and the recipe asks for {channels}",
            remedy=f"set input.channels: {picture.shape[2]}",
        )
    if channels not in (1, 3, 4):
        raise DataError(
            f"an image of mode {picture.mode} cannot become {channels} channels",
            remedy="set input.channels to 1 (grey), 3 (colour) or 4 (colour and alpha)",
        )
    if channels == 4:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    plain = _over_black(picture) if picture.mode in ("LA", "RGBA") else picture
    mode = "L" if channels == 1 else "RGB"
    return plain if plain.mode == mode else plain.convert(mode)


def preview(picture: Picture) -> Image.Image:
    """A small RGB image to hash and to look at; a preview's preview is itself.

    Averaged down by whole numbers while both sides keep 64 pixels. Of more than four channels
    the first three are shown, of two the first.
    """
    if isinstance(picture, np.ndarray):
        picture = as_picture(picture[:, :, : 3 if picture.shape[2] > 3 else 1])
    shown = to_channels(picture, 3)
    assert isinstance(shown, Image.Image)
    factor = max(1, shown.width // _PREVIEW_SIDE), max(1, shown.height // _PREVIEW_SIDE)
    return shown if factor == (1, 1) else shown.reduce(factor)


def as_pixels(picture: Picture) -> np.ndarray:
    """(H, W, C) uint8 of a picture."""
    pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def as_picture(pixels: np.ndarray) -> Picture:
    """The picture of (H, W, C) uint8; the array itself where Pillow has no mode for C."""
    if pixels.shape[2] == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]))
    return Image.fromarray(np.ascontiguousarray(pixels)) if pixels.shape[2] in (3, 4) else pixels


def _identified(data: bytes) -> ImageFile.ImageFile:
    # Not Image.open: its size check has one limit for the whole process and warns below it.
    for name in FORMATS:
        factory, accept = Image.OPEN[name]
        if accept is not None and accept(data[:16]) is True:
            try:
                return factory(io.BytesIO(data), "")
            except (SyntaxError, IndexError, TypeError, KeyError, struct.error) as error:
                raise DataError(f"damaged {name} header: {error}") from error
    raise DataError(
        f"not an image of a known format ({', '.join(FORMATS)}); it starts with {data[:8]!r}"
    )


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, OSError | SyntaxError) else f"damaged: {text}"


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # A camera's broken notes are no reason to lose the picture.
        return image
    if orientation in range(2, 9):
        return ImageOps.exif_transpose(image)
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """L, LA, RGB or RGBA."""
    if image.mode == "F":
        raise DataError(
            "floating-point pixels have no stated range",
            remedy="save the images with 8 or 16 bits a channel",
        )
    if image.mode.startswith("I"):
        image = deep_colour.to_eight_bit(np.asarray(image), image)
    grey = image.mode in ("1", "L", "LA", "La")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        mode = "LA" if grey else "RGBA"
    else:
        mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _over_black(image: Image.Image) -> Image.Image:
    plain = Image.new("L" if image.mode == "LA" else "RGB", image.size)
    plain.paste(image.convert(plain.mode), mask=image.getchannel("A"))
    return plain
