from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from foldwise.data.sources import ImageRef
from foldwise.errors import DataError
from foldwise.stages.proposing.looking import load_squares, look


def pictures(folder, *, border=0, num=6):
    rng = np.random.default_rng(0)
    refs = []
    for index in range(num):
        pixels = rng.integers(60, 255, (40, 60 + index, 3), dtype=np.uint8)
        pixels = np.pad(pixels, ((border, border), (border, border), (0, 0)))
        refs.append(ImageRef(folder / f"{index}.png"))
        Image.fromarray(pixels).save(refs[-1].path)
    return refs


def test_sizes_are_those_of_the_images(tmp_path):
    looks = look(pictures(tmp_path))
    assert looks.words == "60-65 x 40"
    assert (looks.side, looks.channels, looks.has_borders) == (40, 3, False)


def test_black_borders_are_seen_and_cut(tmp_path):
    refs = pictures(tmp_path, border=30)
    looks = look(refs)
    assert looks.has_borders
    assert looks.side == pytest.approx(40, abs=1)
    squares = load_squares(refs, looks, 32)
    assert {image.shape for image in squares.values()} == {(32, 32, 3)}
    assert squares[0][0].min() > 10


def test_damaged_and_vast_images_are_left_out(tmp_path):
    refs = pictures(tmp_path)
    refs[0].path.write_bytes(b"no image")
    Image.new("1", (20_000, 20_000)).save(refs[1].path)
    assert len(look(refs).sizes) == 4
    assert list(load_squares(refs, look(refs), 16)) == [2, 3, 4, 5]
    with pytest.raises(DataError, match="none of 2 images tried can be decoded"):
        look(refs[:2])


def test_arrays_keep_their_channels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 20, 24, 5), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    refs = [ImageRef(tmp_path / "x.npy", None, row) for row in range(4)]
    looks = look(refs)
    assert (looks.words, looks.channels) == ("24 x 20", 5)
    assert load_squares(refs, looks, 16)[0].shape == (16, 16, 5)
