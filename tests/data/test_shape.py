from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foldwise.data.decode import as_picture
from foldwise.data.shape import FITS, Fit, fit

from .pictures import photo


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    size_px=st.integers(1, 70),
    channels=st.sampled_from([1, 2, 3, 4, 5]),
    rule=st.sampled_from(FITS),
)
def test_every_shape_gets_the_size_of_the_rule(
    height: int, width: int, size_px: int, channels: int, rule: Fit
) -> None:
    pixels = np.full((height, width, channels), 200, np.uint8)
    result = fit(as_picture(pixels), size_px=size_px, rule=rule)
    assert result.dtype == np.uint8
    assert result.shape[2] == channels
    if rule == "shorter_side":
        assert min(result.shape[:2]) == size_px
        assert max(result.shape[:2]) <= 4 * size_px
        assert (result == 200).all()
    elif rule == "native":
        assert np.array_equal(result, pixels)
    else:
        assert result.shape[:2] == (size_px, size_px)
    if rule == "pad":
        assert set(np.unique(result)) <= {0, 200}
        inner = result.any(axis=2)
        assert inner.any(axis=0).all() or inner.any(axis=1).all()


def test_stretch_is_pillows_antialiased_bicubic() -> None:
    pixels = photo(90, 70)
    expected = np.asarray(Image.fromarray(pixels).resize((40, 40), Image.BICUBIC))
    assert (fit(as_picture(pixels), size_px=40, rule="stretch") == expected).all()


def test_large_reductions_stay_near_the_exact_resampling() -> None:
    pixels = photo(900, 1100)
    exact = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.BICUBIC)).astype(int)
    found = fit(as_picture(pixels), size_px=64, rule="stretch")
    assert np.abs(found - exact).max() <= 3


def test_the_same_size_keeps_every_pixel() -> None:
    pixels = photo(32, 32)
    for rule in FITS:
        assert (fit(as_picture(pixels), size_px=32, rule=rule) == pixels).all()


def test_pad_centres_on_black() -> None:
    result = fit(as_picture(np.full((10, 40, 3), 90, np.uint8)), size_px=20, rule="pad")
    rows = result.any(axis=(1, 2))
    assert rows.tolist() == [False] * 7 + [True] * 5 + [False] * 8


def test_shorter_side_cuts_extreme_images_in_the_middle() -> None:
    long = np.zeros((10, 1000, 1), np.uint8)
    long[:, 480:520] = 255
    result = fit(as_picture(long), size_px=10, rule="shorter_side")
    assert result.shape == (10, 40, 1)
    assert (result == 255).all()


def test_colours_under_transparent_alpha_survive() -> None:
    rgba = np.dstack([photo(20, 20), np.zeros((20, 20), np.uint8)])
    result = fit(as_picture(rgba), size_px=10, rule="stretch")
    expected = np.asarray(Image.fromarray(rgba[:, :, :3]).resize((10, 10), Image.BICUBIC))
    assert (result[:, :, :3] == expected).all()
    assert (result[:, :, 3] == 0).all()
