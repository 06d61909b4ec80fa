"""Parts of originals: Pillow's pixels, the cache's draws, and what reducing a JPEG may cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS, resized
from foldwise.data.batches import Source, eval_batches, train_batches
from foldwise.data.boxes import Box, centre_box, crop_box
from foldwise.data.cache import Cache
from foldwise.data.cache_writing import fill
from foldwise.data.decode import decode
from foldwise.data.decoder_pool import Prepared, decode_all
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.plain_jpeg import decode_plain
from foldwise.data.shape import Fit
from foldwise.data.sources import ImageRef
from foldwise.data.spec import CacheSpec
from foldwise.errors import DataError

from .pictures import coded, photo

_TURNED = Image.Exif()
_TURNED[0x0112] = 6


def prepared(folder: Path, spec: CacheSpec, *files: bytes) -> tuple[Cache, list[str]]:
    """Files and their cache without pixels, and the content hashes in order."""
    folder.mkdir()
    refs = []
    for number, data in enumerate(files):
        refs.append(ImageRef(folder / f"{number}.img"))
        refs[-1].path.write_bytes(data)
    done = dict(fill(folder / "cache", [spec], decode_all(refs, [spec], workers=1)))
    hashes = []
    for number in range(len(files)):
        result = done[number]
        assert isinstance(result, Prepared), result
        hashes.append(result.sha256)
    return Cache.open(folder / "cache", spec, refs=dict(zip(hashes, refs, strict=True))), hashes


def none_spec(size_px: int, fit: Fit = "stretch", channels: int = 3) -> CacheSpec:
    return CacheSpec.make(size_px, fit, channels, store="none")


@pytest.mark.parametrize(
    "data",
    [
        coded(photo(50, 70), "JPEG"),
        coded(photo(50, 71), "JPEG", quality=90, subsampling=0),
        coded(photo(51, 70), "JPEG", progressive=True),
        coded(photo(50, 70, 1), "JPEG"),
        coded(Image.fromarray(photo(50, 70)).convert("CMYK"), "JPEG"),
        coded(photo(50, 70), "JPEG", exif=_TURNED),
        coded(photo(50, 70), "PNG"),
        coded(photo(50, 70, 4), "PNG"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_part_is_what_pillow_decodes_there(tmp_path: Path, data: bytes, channels: int) -> None:
    spec = none_spec(25, channels=channels)
    cache, (sha256,) = prepared(tmp_path / "raw", spec, data)
    assert cache.cut is not None
    expected = decode(data, channels=channels).pixels
    height, width = expected.shape[:2]
    found = cache.cut(sha256, lambda h, w: Box(5, 10, 15, 10), 16)
    top, bottom = round(height * 5 / 25), round(height * 20 / 25)
    left, right = round(width * 10 / 25), round(width * 20 / 25)
    assert (found == expected[top:bottom, left:right]).all()
    assert (cache.cut(sha256, lambda h, w: Box(0, 0, h, w), 16) == expected).all()
    # It was decoded whole by now, so rows below the part may be left out.
    found = cache.cut(sha256, lambda h, w: Box(5, 10, 15, 10), 16)
    assert (found == expected[top:bottom, left:right]).all()


def test_plain_jpegs_alone_are_decoded_the_short_way() -> None:
    def told(data: bytes, channels: int = 3) -> np.ndarray | None:
        return decode_plain(data, decode(data, channels=channels).info, channels)

    plain = coded(photo(30, 40), "JPEG")
    assert told(plain) is not None
    assert told(plain, channels=1) is None  # Both make grey of it, but not the same.
    assert told(coded(photo(30, 40, 1), "JPEG"), channels=1) is not None
    assert told(coded(photo(30, 40), "JPEG", exif=_TURNED)) is None
    assert told(coded(photo(30, 40), "PNG")) is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 95, "subsampling": 0},
        {"subsampling": 1},
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 3},
        {"progressive": True},
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_rows_that_are_not_needed_change_none_above_them(
    options: dict[str, Any], channels: int
) -> None:
    data = coded(photo(70, 51, channels), "JPEG", **options)
    info = decode(data, channels=channels).info
    whole = decode_plain(data, info, channels)
    assert whole is not None
    heights = set()
    for bottom in range(1, 71):
        found = decode_plain(data, info, channels, bottom=bottom)
        assert found is not None
        assert (found[:bottom] == whole[:bottom]).all()
        heights.add(len(found))
    assert len(heights) == 1 if "progressive" in options else len(heights) > 3


def test_a_damaged_end_is_seen_before_it_is_left_out(tmp_path: Path) -> None:
    data = coded(photo(200, 70), "JPEG")
    cache, (sha256,) = prepared(tmp_path / "raw", none_spec(25), data + b"more")
    assert cache.cut is not None
    expected = decode(data + b"more", channels=3).pixels
    for _ in range(2):
        found = cache.cut(sha256, lambda h, w: Box(0, 0, 5, 5), 16)
        assert (found == expected[:40, :14]).all()


def test_crops_are_those_of_a_cache_with_pixels_and_sharper(tmp_path: Path) -> None:
    files = [coded(photo(120, 90 + 10 * k, seed=k), "JPEG", quality=95) for k in range(6)]
    none, hashes = prepared(tmp_path / "none", none_spec(48), *files)
    raw, _ = prepared(tmp_path / "raw", CacheSpec(48), *files)
    assert raw.cut is None
    names = np.array(hashes, dtype=object)
    crop = parts.bind(AUGMENTS, {"name": "crop", "scale": (0.2, 0.5)}, what="augmentation")
    augments = [crop, AUGMENTS["hflip"]]
    for cut, get, most in ((none.cut, raw.get, 6.0), (None, none.get, 0.0)):
        sources = [
            Source(g, names, np.arange(6), 40, cut=c) for g, c in ((raw.get, None), (get, cut))
        ]
        for made in (
            lambda s: next(
                train_batches(s, np.arange(6), batch=6, augments=augments, key=1, workers=0)
            ),
            lambda s: next(eval_batches(s, batch=6, workers=0)),
        ):
            one, other = (made(source).images.float() for source in sources)
            assert (one - other).abs().mean() <= most
    unlike = next(
        train_batches(sources[0], np.arange(6), batch=6, augments=augments, key=2, workers=0)
    )
    assert (unlike.images.float() - one).abs().mean() > 10


@pytest.mark.parametrize("fit", ["stretch", "shorter_side"])
@pytest.mark.parametrize(("height", "width"), [(60, 60), (60, 130), (400, 60), (60, 400)])
def test_a_crop_lies_where_it_lies_in_the_cache(
    tmp_path: Path, fit: Fit, height: int, width: int
) -> None:
    # Brightness tells the place: across in red, down in green.
    down, across = np.mgrid[0:height, 0:width]
    ramp = np.dstack([255 * across / width, 255 * down / height, 0 * down]).astype(np.uint8)
    data = coded(ramp, "PNG")
    none, (sha256,) = prepared(tmp_path / "none", none_spec(30, fit), data)
    raw, _ = prepared(tmp_path / "raw", CacheSpec(30, fit), data)
    assert none.cut is not None
    cached = raw.get(sha256)
    for number in range(10):
        draws = seeding.uniforms(number, np.arange(1), NUM_DRAWS)[0].tolist()
        box = crop_box(*cached.shape[:2], draws, scale=(0.1, 0.8))
        wanted = box.of(cached).mean(axis=(0, 1))
        found = none.cut(sha256, lambda h, w, box=box: box, 20).mean(axis=(0, 1))
        assert np.abs(found - wanted).max() < 255 / 30


def test_shape_rules_and_steps_that_need_the_whole_image_get_it(tmp_path: Path) -> None:
    data = coded(photo(40, 40), "PNG")
    assert prepared(tmp_path / "a", none_spec(20, "pad"), data)[0].cut is None
    stepped = CacheSpec.make(20, steps=["grey"], store="none")
    assert prepared(tmp_path / "b", stepped, data)[0].cut is None


def test_large_jpegs_are_decoded_reduced_and_little_is_lost(tmp_path: Path) -> None:
    pixels = photo(960, 1280)
    data = coded(pixels, "JPEG", quality=92, exif=_TURNED)
    cache, (sha256,) = prepared(tmp_path / "raw", none_spec(100), data)
    assert cache.cut is not None
    for size, reduction in ((32, 8), (100, 4), (200, 2), (300, 1)):
        found = cache.cut(sha256, centre_box, size)
        assert found.shape == (1280 // reduction, 960 // reduction, 3)
        full = cache.cut(sha256, centre_box, 1000)
        small, exact = (
            resized(torch.from_numpy(a.copy()).permute(2, 0, 1), size) for a in (found, full)
        )
        assert (small.float() - exact.float()).abs().mean() < 0.6
        assert (small.int() - exact.int()).abs().max() <= 4


def test_an_original_is_compared_again_when_its_file_has_changed(tmp_path: Path) -> None:
    cache, (sha256,) = prepared(tmp_path / "raw", none_spec(20), coded(photo(40, 40), "JPEG"))
    path = tmp_path / "raw" / "0.img"
    assert cache.cut is not None
    cache.cut(sha256, centre_box, 20)
    other = coded(photo(40, 40, seed=9), "JPEG")
    path.write_bytes(other)
    os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match=r"0\.img: changed since it was prepared"):
        cache.cut(sha256, centre_box, 20)
