from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from foldwise.data.decode import (
    MAX_PIXELS,
    as_pixels,
    decode,
    open_array,
    open_bytes,
    preview,
    to_channels,
)
from foldwise.errors import DataError

from .pictures import coded, photo, png, png_16_bit

RGB = photo(9, 13)
GREY = photo(9, 13, 1)
ALPHA = np.linspace(0, 255, 9 * 13).astype(np.uint8).reshape(9, 13)
LUMA = np.asarray(Image.fromarray(RGB).convert("L"))
DIVIDED = (RGB.astype(int) * ALPHA[:, :, None] + 127) // 255


def grey3(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels] * 3)


PALETTE = Image.fromarray(RGB).quantize(16)
BITS = Image.fromarray(np.where(GREY > 128, 255, 0).astype(np.uint8)).convert("1")
LOSSLESS = {
    "PNG RGB": (coded(RGB, "PNG"), RGB),
    "TIFF RGB": (coded(RGB, "TIFF"), RGB),
    "TIFF RGB, LZW": (coded(RGB, "TIFF", compression="tiff_lzw"), RGB),
    "BMP RGB": (coded(RGB, "BMP"), RGB),
    "PPM RGB": (coded(RGB, "PPM"), RGB),
    "WebP RGB": (coded(RGB, "WEBP", lossless=True), RGB),
    "PNG grey": (coded(GREY, "PNG"), grey3(GREY)),
    "PGM grey": (coded(GREY, "PPM"), grey3(GREY)),
    "PNG 1 bit": (coded(BITS, "PNG"), grey3(np.asarray(BITS) * np.uint8(255))),
    "TIFF 1 bit, fax": (
        coded(BITS, "TIFF", compression="group4"),
        grey3(np.asarray(BITS) * np.uint8(255)),
    ),
    "PNG palette": (coded(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
    "GIF palette": (coded(PALETTE, "GIF"), np.asarray(PALETTE.convert("RGB"))),
    "TIFF CMYK": (
        coded(Image.fromarray(RGB).convert("CMYK"), "TIFF"),
        np.asarray(Image.fromarray(RGB).convert("CMYK").convert("RGB")),
    ),
    "PNG RGBA over black": (coded(np.dstack([RGB, ALPHA]), "PNG"), DIVIDED),
    "PNG grey and alpha over black": (
        coded(np.dstack([GREY, ALPHA]), "PNG"),
        grey3((GREY.astype(int) * ALPHA + 127) // 255),
    ),
    "WebP RGBA over black": (
        coded(np.dstack([RGB, ALPHA]), "WEBP", lossless=True, exact=True),
        DIVIDED,
    ),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_files_of_every_mode_give_their_pixels(name: str) -> None:
    data, expected = LOSSLESS[name]
    decoded = decode(data, channels=3)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == (9, 13, 3)
    assert (decoded.info.width, decoded.info.height) == (13, 9)
    assert decoded.info.num_bytes == len(data)
    # Laying over black rounds; all the rest is exact.
    assert np.abs(decoded.pixels - expected.astype(int)).max() <= (1 if "over" in name else 0)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_modes_are_near_the_original(mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    data = coded(image, "JPEG", quality=100, subsampling=0)
    pixels = decode(data, channels=3).pixels
    assert np.abs(pixels - np.asarray(image.convert("RGB")).astype(int)).mean() < 3


def test_ycck_jpeg_is_read_as_cmyk() -> None:
    image = Image.fromarray(RGB).convert("CMYK")
    data = coded(image, "JPEG", quality=100)
    # The Adobe marker's last byte names the colour transform: 2 is YCCK, for which libjpeg
    # turns three of the four channels back from YCC.
    at = data.index(b"Adobe") + 11
    assert data[at] in (0, 2)
    ycck = data[:at] + b"\x02" + data[at + 1 :]
    with Image.open(io.BytesIO(ycck)) as opened:
        expected = np.asarray(opened.convert("RGB"))
    decoded = decode(ycck, channels=3)
    assert decoded.info.mode == "CMYK"
    assert (decoded.pixels == expected).all()
    assert (decoded.pixels != decode(data, channels=3).pixels).any() or data[at] == 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF compressed", "WEBP"])
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    image = Image.fromarray(RGB)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {
        "PNG": {"exif": exif},
        "WEBP": {"exif": exif, "lossless": True},
        "TIFF": {"tiffinfo": {0x0112: orientation}},
        "TIFF compressed": {"tiffinfo": {0x0112: orientation}, "compression": "tiff_lzw"},
    }[kind]
    data = coded(image, kind.split()[0], **options)
    # Worked by hand: where the first row and column of the file belong in the picture.
    upright = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: RGB.transpose(1, 0, 2)[:, ::-1],
        7: RGB.transpose(1, 0, 2)[::-1, ::-1],
        8: RGB.transpose(1, 0, 2)[::-1],
    }[orientation]
    decoded = decode(data, channels=3)
    assert (decoded.pixels == upright).all()
    assert (decoded.info.height, decoded.info.width) == upright.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_orientation_agrees_with_pillow(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = coded(RGB, "JPEG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert (decode(data, channels=3).pixels == expected).all()


def test_unreadable_exif_counts_as_upright() -> None:
    data = coded(RGB, "JPEG", exif=b"Exif\0\0XX*\0\xff\xff\xff\xff")
    assert decode(data, channels=3).pixels.shape == (9, 13, 3)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_is_divided_by_257_and_rounded(colour: int, channels: int) -> None:
    rng = np.random.default_rng(colour)
    values = rng.integers(0, 65536, (6, 7, channels), dtype=np.uint16)
    pixels = decode(png_16_bit(values, colour), channels=4).pixels
    expected = np.rint(values / 257).astype(int)
    if channels < 3:
        assert (pixels[:, :, :3] == expected[:, :, :1]).all()
    else:
        assert (pixels[:, :, :3] == expected[:, :, :3]).all()
    if channels in (2, 4):
        assert (pixels[:, :, 3] == expected[:, :, -1]).all()


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3)])
def test_16_bit_png_with_values_up_to_255_keeps_them(colour: int, channels: int) -> None:
    values = np.arange(6 * 7 * channels, dtype=np.uint16).reshape(6, 7, channels) % 256
    pixels = decode(png_16_bit(values, colour), channels=3).pixels
    assert (pixels == values).all()


def test_16_bit_png_with_a_transparent_colour_gets_alpha() -> None:
    values = np.arange(1000, 1012, dtype=np.uint16).reshape(2, 2, 3) * 20
    key = struct.pack(">HHH", *values[0, 1])
    pixels = decode(png_16_bit(values, 2, (b"tRNS", key)), channels=4).pixels
    assert pixels[:, :, 3].tolist() == [[255, 0], [255, 255]]


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_16_bit_tiff_grey_is_divided_by_257(compression: str | None) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (6, 7), dtype=np.uint16)
    data = coded(Image.fromarray(values), "TIFF", compression=compression)
    assert (decode(data, channels=1).pixels[:, :, 0] == np.rint(values / 257)).all()


def test_16_bit_pgm_is_divided_by_257() -> None:
    values = np.random.default_rng(2).integers(0, 65536, (6, 7), dtype=np.uint16)
    data = b"P5 7 6 65535\n" + values.astype(">u2").tobytes()
    assert (decode(data, channels=1).pixels[:, :, 0] == np.rint(values / 257)).all()


def test_palette_with_alpha_is_laid_over_black() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 100, 50, 10, 20, 30])
    image.putdata([0, 1])
    data = coded(image, "PNG", transparency=bytes([0, 255]))
    assert decode(data, channels=3).pixels.tolist() == [[[0, 0, 0], [10, 20, 30]]]
    straight = decode(data, channels=4).pixels
    assert straight.tolist() == [[[200, 100, 50, 0], [10, 20, 30, 255]]]


def test_colour_to_grey_is_itu_601_luma() -> None:
    assert (decode(coded(RGB, "PNG"), channels=1).pixels[:, :, 0] == LUMA).all()


def test_four_channels_keep_straight_alpha_and_colours_under_it() -> None:
    rgba = np.dstack([RGB, ALPHA])
    assert (decode(coded(rgba, "PNG"), channels=4).pixels == rgba).all()
    assert (decode(coded(RGB, "PNG"), channels=4).pixels[:, :, 3] == 255).all()


def test_first_frame_of_many_is_taken() -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (10, 200, 90)]
    data = coded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(data, channels=1).pixels == 10).all()


def test_floating_point_tiff_is_refused_with_the_reason() -> None:
    data = coded(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF")
    with pytest.raises(DataError, match=r"floating-point.*\n.*8 or 16 bits"):
        decode(data, channels=3)


def test_32_bit_values_are_refused() -> None:
    data = coded(Image.fromarray(np.full((3, 3), 70000, np.int32)), "TIFF")
    with pytest.raises(DataError, match="70000 do not fit into 16 bits"):
        decode(data, channels=3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "known format .*<html>"),
        (b"GIF89a", "damaged GIF"),
        (coded(RGB, "JPEG")[:200], "(?i)damaged|truncated"),
        (coded(RGB, "PNG")[:-40], "truncated|damaged|broken"),
        (coded(RGB, "ICO"), "known format"),
        (png(50_000, 50_000, 8, 2, (b"IDAT", b"")), "50000 x 50000 .*limit of 100 million"),
    ],
)
def test_what_is_no_sound_image_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(data, channels=3)


def test_pixel_limit_is_an_option() -> None:
    data = coded(RGB, "PNG")
    with pytest.raises(DataError, match="13 x 9"):
        decode(data, channels=3, max_pixels=116)
    assert decode(data, channels=3, max_pixels=117).pixels.shape == (9, 13, 3)
    assert MAX_PIXELS == 100_000_000


def from_array(pixels: np.ndarray, channels: int) -> np.ndarray:
    return as_pixels(to_channels(open_array(pixels)[0], channels))


def test_arrays_of_8_bits_pass_and_others_are_refused() -> None:
    assert (from_array(RGB, 3) == RGB).all()
    assert (from_array(GREY, 3) == grey3(GREY)).all()
    assert (from_array(RGB, 1)[:, :, 0] == LUMA).all()
    five = photo(6, 7, 5)
    assert (from_array(five, 5) == five).all()
    with pytest.raises(DataError, match=r"float32.*\n.*astype"):
        open_array(RGB.astype(np.float32))
    with pytest.raises(DataError, match=r"5 channels.*asks for 3.*\n.*channels: 5"):
        from_array(five, 3)
    with pytest.raises(DataError, match=r"found shape \(9,\)"):
        open_array(GREY[:, 0])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_a_previews_preview_is_itself(channels: int) -> None:
    array = photo(300, 200, channels)
    first = preview(array.reshape(300, 200, channels) if channels != 1 else array[:, :, None])
    assert first.mode == "RGB"
    assert first.size == (67, 75)
    assert (np.asarray(preview(first)) == np.asarray(first)).all()


def test_open_bytes_decodes_once_for_all_channel_counts() -> None:
    picture, info = open_bytes(coded(np.dstack([RGB, ALPHA]), "PNG"))
    assert isinstance(picture, Image.Image)
    assert picture.mode == info.mode == "RGBA"
