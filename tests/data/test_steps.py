from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from foldwise.data.steps import STEPS, apply_steps, ben, crop_border, grey, normalised_steps
from foldwise.errors import ConfigError

from .pictures import photo


def framed(colour: tuple[int, int, int]) -> np.ndarray:
    pixels = np.empty((20, 30, 3), np.uint8)
    pixels[:] = colour
    pixels[3:15, 4:26] = 150
    return pixels


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_step_keeps_channels_and_type_and_its_input(name: str, channels: int) -> None:
    pixels = photo(24, 31, channels).reshape(24, 31, channels)
    before = pixels.copy()
    result = STEPS[name](pixels)
    assert result.dtype == np.uint8
    assert result.shape[2] == channels
    assert (STEPS[name](pixels) == result).all()
    assert (pixels == before).all()


def test_black_border_is_cut() -> None:
    pixels = framed((9, 0, 3))
    assert crop_border(pixels).shape == (12, 22, 3)
    assert crop_border(pixels, threshold=8).shape == (20, 30, 3)
    assert (crop_border(pixels) == 150).all()


def test_border_of_any_colour_is_cut_by_its_corners() -> None:
    pixels = framed((250, 20, 128))
    assert crop_border(pixels).shape == (20, 30, 3)
    assert crop_border(pixels, colour="corners").shape == (12, 22, 3)
    pixels[0, 0] = 0
    assert crop_border(pixels, colour="corners").shape == (20, 30, 3)


def test_an_image_of_border_alone_stays_whole() -> None:
    assert crop_border(np.full((5, 6, 3), 7, np.uint8)).shape == (5, 6, 3)
    assert crop_border(np.full((5, 6, 3), 200, np.uint8), colour="corners").shape == (5, 6, 3)


def test_alpha_is_cut_along_but_not_looked_at() -> None:
    opaque = np.dstack([framed((0, 0, 0)), np.full((20, 30), 255, np.uint8)])
    assert crop_border(opaque).shape == (12, 22, 4)


def test_ben_is_near_the_formula_with_an_exact_gaussian() -> None:
    pixels = photo(120, 150)
    blurred = ndimage.gaussian_filter(pixels.astype(float), (10, 10, 0), mode="nearest")
    expected = np.clip(4 * (pixels - blurred) + 128, 0, 255)
    found = ben(pixels, sigma=10)[25:-25, 25:-25]
    # Three box blurs in 8 bits against the real one: a level of blur is four of contrast.
    assert np.abs(found - expected[25:-25, 25:-25]).mean() < 4


def test_ben_leaves_flat_images_at_128_and_takes_sigma_as_a_share() -> None:
    assert (ben(np.full((50, 60, 3), 77, np.uint8)) == 128).all()
    pixels = photo(60, 90)
    assert (ben(pixels, sigma=0.1) == ben(pixels, sigma=6.0)).all()


def test_grey_keeps_the_number_of_channels_and_alpha() -> None:
    pixels = photo(6, 7, 4)
    result = grey(pixels)
    assert (result[:, :, 0] == result[:, :, 1]).all()
    assert (result[:, :, 0] == result[:, :, 2]).all()
    assert (result[:, :, 3] == pixels[:, :, 3]).all()
    assert (grey(result) == result).all()


def test_steps_apply_in_order_and_spell_out_their_options() -> None:
    steps = normalised_steps(["crop_border", {"name": "ben", "weight": 2}])
    assert steps == (
        ("crop_border", (("colour", "black"), ("threshold", 10))),
        ("ben", (("sigma", 1 / 60), ("weight", 2.0))),
    )
    pixels = framed((0, 0, 0))
    assert (apply_steps(pixels, steps) == ben(crop_border(pixels), weight=2.0)).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("crop_boarder", "did you mean 'crop_border'"),
        ({"name": "ben", "sigmas": 3}, "did you mean 'sigma'"),
        ({"name": "crop_border", "colour": "red"}, "colour"),
        ("mine:step", "cannot be one's own"),
    ],
)
def test_wrong_steps_are_refused(spec: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        normalised_steps([spec])
