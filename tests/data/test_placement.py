"""Parts of an image against plain array operations, torchvision and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.transforms.v2 import functional as F

from foldwise.data.augment import AUGMENTS
from foldwise.data.boxes import Box
from foldwise.data.mask_crops import MOVES, Scene
from foldwise.data.placement import Placement
from foldwise.masks.runs import encode

NOTHING = Scene((1, 1), encode([np.zeros((1, 1), bool)]), (1, 1))
#: Moves that mirror and turn, by draw.
EXACT = st.lists(st.tuples(st.sampled_from(["hflip", "vflip", "rot90"]), st.floats(0, 0.999)))


def pixels(height: int = 13, width: int = 17, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def channels_first(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


@settings(deadline=None)
@given(moves=EXACT)
def test_mirrored_and_turned_is_what_the_augmentations_of_images_give(
    moves: list[tuple[str, float]],
) -> None:
    image = pixels()
    expected = channels_first(image)
    placement = Placement.whole(13, 17)
    for name, draw in moves:
        expected = AUGMENTS[name](expected, [draw])
        placement = MOVES[name](placement, [draw], NOTHING)
    assert torch.equal(placement.image(image), expected)


@settings(deadline=None)
@given(
    moves=EXACT,
    top=st.integers(0, 8),
    left=st.integers(0, 9),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
)
def test_a_window_can_be_cut_before_or_after_turning(
    moves: list[tuple[str, float]], top: int, left: int, height: int, width: int
) -> None:
    image = pixels()
    placement = Placement.whole(13, 17).part([[1, 0, left], [0, 1, top]], height, width)
    expected = channels_first(image)[:, top : top + height, left : left + width]
    for name, draw in moves:
        expected = AUGMENTS[name](expected, [draw])
        placement = MOVES[name](placement, [draw], NOTHING)
    assert torch.equal(placement.image(image), expected)
    aligned = placement.aligned
    assert aligned is not None
    assert aligned.window == Box(top, left, height, width)


def test_a_resized_window_is_that_of_torchvision() -> None:
    image = pixels(40, 50)
    placement = Placement.whole(40, 50).part([[1, 0, 7], [0, 1, 3]], 30, 36).resized(17, 45)
    expected = F.resize_image(channels_first(image)[:, 3:33, 7:43], [17, 45], antialias=True)
    assert torch.equal(placement.image(image), expected)


def test_beyond_the_image_its_edge_is_repeated() -> None:
    image = pixels(4, 5)
    placement = Placement.whole(4, 5).part([[1, 0, -2], [0, 1, -1]], 7, 10)
    expected = np.pad(image, [(1, 2), (2, 3), (0, 0)], mode="edge")
    assert torch.equal(placement.image(image), channels_first(expected))


@pytest.mark.parametrize("draw", [0.0, 0.2, 0.7, 0.999])
def test_a_turned_image_is_that_of_torchvision_away_from_its_corners(draw: float) -> None:
    smooth = torch.linspace(0, 250, 61)[:, None] * torch.linspace(0, 1, 61)
    image = smooth[:, :, None].to(torch.uint8).numpy()
    found = MOVES["rotate"](Placement.whole(61, 61), [draw], NOTHING, degrees=20).image(image)
    angle = -20 + draw * 40
    expected = F.rotate_image(
        channels_first(image), angle, interpolation=F.InterpolationMode.BILINEAR
    )
    inner = (slice(None), slice(12, 49), slice(12, 49))
    assert (found[inner].int() - expected[inner].int()).abs().max() <= 1


def test_a_turned_part_shows_what_is_around_it() -> None:
    image = np.full((60, 60, 1), 200, np.uint8)
    part = Placement.whole(60, 60).part([[1, 0, 20], [0, 1, 20]], 20, 20)
    found = MOVES["rotate"](part, [0.9], NOTHING, degrees=45).image(image)
    assert (found == 200).all()


@settings(deadline=None, max_examples=40)
@given(
    degrees=st.floats(-180, 180),
    x=st.floats(-10, 60),
    y=st.floats(-10, 60),
    scale=st.floats(0.3, 3),
)
def test_points_between_pixels_are_those_of_torch(
    degrees: float, x: float, y: float, scale: float
) -> None:
    """Only the pixels around a part are looked at, with the same result."""
    image = pixels(40, 50)
    cos, sin = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
    placement = Placement(np.array([[cos, -sin, x], [sin, cos, y]]), 9, 11)
    matrix = torch.from_numpy(placement.matrix)
    to_unit = torch.tensor([[2 / 50, 0, -1], [0, 2 / 40, -1], [0, 0, 1]], dtype=torch.float64)
    from_unit = torch.tensor([[5.5, 0, 5.5], [0, 4.5, 4.5], [0, 0, 1]], dtype=torch.float64)
    full = torch.cat([matrix, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)])
    theta = (to_unit @ full @ from_unit)[:2][None]
    grid = functional.affine_grid(theta, [1, 3, 9, 11], align_corners=False)
    whole = channels_first(image)[None].double()
    expected = functional.grid_sample(whole, grid, padding_mode="border", align_corners=False)[0]
    if placement.aligned is None:
        assert (placement.image(image).double() - expected).abs().max() < 0.5 + 1e-2
