"""Tiles cover an image of any size, overlap as asked for, and blend without seams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.data.tiles import blend, tile_axis, tile_boxes

SIDES = st.integers(1, 90)
TILES = st.integers(1, 40)
OVERLAPS = st.floats(0, 0.95)


@given(side=SIDES, tile=TILES, overlap=OVERLAPS)
def test_tiles_reach_both_ends_and_overlap_as_much_as_asked_for(
    side: int, tile: int, overlap: float
) -> None:
    axis = tile_axis(side, tile, overlap)
    length = min(side, tile)
    assert axis.weights.shape == (len(axis.starts), length)
    assert axis.starts[0] == 0
    assert axis.starts[-1] + length == side
    steps = np.diff(axis.starts)
    if length > 1:
        assert (steps > 0).all()
        assert (length - steps >= min(overlap * length, length - 1) - 1e-9).all()


@given(side=SIDES, tile=TILES, overlap=OVERLAPS)
def test_there_are_no_more_tiles_than_needed(side: int, tile: int, overlap: float) -> None:
    num, length = len(tile_axis(side, tile, overlap).starts), min(side, tile)
    fewer = (num - 2) * max(length - int(np.ceil(length * overlap)), 1) + length
    assert num == 1 or fewer < side


@given(side=SIDES, tile=TILES, overlap=OVERLAPS)
def test_weights_are_never_0_and_sum_to_1_over_every_pixel(
    side: int, tile: int, overlap: float
) -> None:
    axis = tile_axis(side, tile, overlap)
    assert (axis.weights > 0).all()
    total = np.zeros(side)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        total[start : start + len(weights)] += weights
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    tile=st.tuples(TILES, TILES),
    overlap=st.floats(0, 0.8),
    batch=st.integers(1, 7),
)
def test_what_looks_at_single_pixels_is_as_of_the_whole_image(
    height: int, width: int, tile: tuple[int, int], overlap: float, batch: int
) -> None:
    rng = torch.manual_seed(height * 97 + width)
    image = torch.randint(0, 256, (3, height, width), generator=rng, dtype=torch.uint8)
    mix = torch.randn(4, 3, generator=rng)

    def forward(images: torch.Tensor) -> torch.Tensor:
        assert len(images) <= batch
        return torch.einsum("kc,bchw->bkhw", mix, images.float() / 255).sigmoid()

    found = blend(forward, image, tile=tile, overlap=overlap, batch=batch)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, forward(image[None])[0], rtol=0, atol=1e-6)


def test_a_step_between_tiles_becomes_a_slope() -> None:
    """Tiles that answer 0, 1, 2... differ most where they meet: no two pixels differ much."""
    answers = iter(range(100))

    def forward(images: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.full_like(image[:1], float(next(answers))) for image in images])

    found = blend(forward, torch.zeros(1, 8, 200), tile=(8, 64), overlap=0.5, batch=3)[0, 0]
    num = len(tile_axis(200, 64, 0.5).starts)
    assert found[0] == 0
    assert found[-1] == num - 1
    steps = found.diff()
    assert (steps >= -1e-6).all()
    assert steps.max() < 1 / 16


@pytest.mark.parametrize("size", [(5, 7), (16, 16), (3, 40)])
def test_an_image_that_is_no_larger_than_a_tile_is_one(size: tuple[int, int]) -> None:
    (first, *others) = tile_boxes(*size, (16, 40), 0.5)
    assert others == []
    assert (first.top, first.left, first.height, first.width) == (0, 0, *size)
    image = torch.rand(1, *size)
    seen: list[torch.Tensor] = []

    def forward(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return images

    assert torch.equal(blend(forward, image, tile=(16, 40), overlap=0.5, batch=4), image)
    assert torch.equal(seen[0], image[None])


def test_half_precision_is_summed_in_single() -> None:
    image = torch.rand(1, 30, 33)
    found = blend(lambda x: x.bfloat16(), image, tile=(16, 16), overlap=0.5, batch=4)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, image, rtol=0, atol=1 / 256)
