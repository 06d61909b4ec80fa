"""Masks of parts of images against decoded masks that are cut and resized."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from foldwise.data.mask_crops import MOVES, Scene
from foldwise.data.mask_windows import class_pixels, crossings, mask_pixels
from foldwise.data.placement import Placement
from foldwise.masks import IGNORED
from foldwise.masks.runs import Runs, decode, encode

DRAW = st.floats(0, 0.999)
#: Moves that do not look at it.
NOTHING = Scene((1, 1), encode([np.zeros((1, 1), bool)]), (1, 1))


def blobs(seed: int, height: int, width: int, num: int = 3) -> np.ndarray:
    """(num, H, W) bool; the last one is empty."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((num, height // 3 + 1, width // 3 + 1)) < 0.4
    masks = coarse.repeat(3, 1).repeat(3, 2)[:, :height, :width]
    masks[-1] = False
    return np.ascontiguousarray(masks)


@settings(deadline=None)
@given(
    seed=st.integers(0, 20),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    rows=st.lists(st.integers(-3, 15), min_size=1, max_size=12).map(sorted),
    columns=st.lists(st.integers(-3, 15), min_size=1, max_size=12).map(sorted),
)
def test_crossings_are_those_of_the_decoded_masks(
    seed: int, height: int, width: int, rows: list[int], columns: list[int]
) -> None:
    masks = np.random.default_rng(seed).random((3, height, width)) < 0.5
    masks[seed % 3] = seed % 2
    y, x = np.array(rows), np.array(columns)
    expected = masks[:, y.clip(0, height - 1)[:, None], x.clip(0, width - 1)].astype(np.uint8)
    outside = ((y < 0) | (y >= height))[:, None] | (x < 0) | (x >= width)
    expected[:, outside] = IGNORED
    assert np.array_equal(crossings(encode(masks), y, x), expected)


@settings(deadline=None)
@given(
    seed=st.integers(0, 20),
    moves=st.lists(st.tuples(st.sampled_from(["hflip", "vflip", "rot90"]), DRAW), max_size=4),
    window=st.tuples(
        st.integers(-5, 20), st.integers(-5, 30), st.integers(1, 30), st.integers(1, 30)
    ),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_masks_are_cut_resized_and_turned_as_the_image_is(
    seed: int,
    moves: list[tuple[str, float]],
    window: tuple[int, int, int, int],
    size: tuple[int, int],
) -> None:
    masks = blobs(seed, 25, 31)
    top, left, height, width = window
    placement = Placement.whole(25, 31).part([[1, 0, left], [0, 1, top]], height, width)
    padded = np.pad(masks.astype(np.uint8), [(0, 0), (40, 80), (40, 80)], constant_values=IGNORED)[
        :, top + 40 : top + 40 + height, left + 40 : left + 40 + width
    ]
    resized = functional.interpolate(
        torch.from_numpy(padded.copy())[None].double(), size, mode="nearest-exact"
    )
    expected = resized[0].to(torch.uint8)
    placement = placement.resized(*size)
    for name, draw in moves:
        placement = MOVES[name](placement, [draw], NOTHING)
        expected = _AS_ARRAYS[name](expected, draw)
    assert np.array_equal(mask_pixels(encode(masks), placement, (25, 31)), expected.numpy())


_AS_ARRAYS = {
    "hflip": lambda masks, draw: masks.flip(2) if draw < 0.5 else masks,
    "vflip": lambda masks, draw: masks.flip(1) if draw < 0.5 else masks,
    "rot90": lambda masks, draw: torch.rot90(masks, int(draw * 4), (1, 2)),
}


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 20), draw=DRAW, top=st.integers(-9, 20), left=st.integers(-9, 20))
def test_turned_masks_are_those_of_single_points(
    seed: int, draw: float, top: int, left: int
) -> None:
    masks = blobs(seed, 33, 29)
    part = Placement.whole(33, 29).part([[1, 0, left], [0, 1, top]], 15, 12)
    placement = MOVES["rotate"](part, [draw], NOTHING, degrees=40)
    found = mask_pixels(encode(masks), placement, (33, 29))
    for y in range(15):
        for x in range(12):
            across, down = np.floor(placement.matrix @ [x + 0.5, y + 0.5, 1]).astype(int)
            is_inside = 0 <= down < 33 and 0 <= across < 29
            expected = masks[:, down, across].astype(int) if is_inside else [IGNORED] * 3
            assert found[:, y, x].tolist() == list(expected)


@pytest.mark.parametrize("name", ["whole", "turned"])
def test_masks_of_the_original_go_with_an_image_that_was_resized(name: str) -> None:
    masks = blobs(4, 60, 90)
    placement = Placement.whole(20, 30)
    expected = masks[:, 1::3, 1::3]
    if name == "turned":
        placement = MOVES["rotate"](placement, [1.0], NOTHING, degrees=180)
        expected = expected[:, ::-1, ::-1]
        assert placement.aligned is None
    found = mask_pixels(encode(masks), placement, (20, 30))
    # Turned by 180 degrees up to rounding: places on the rim may fall beyond it.
    assert (found != expected).mean() <= (0 if name == "whole" else 0.01)


def test_exclusive_classes_become_one_number() -> None:
    masks = np.array([[[1, 0, 0, 255]], [[0, 1, 0, 255]]], np.uint8)
    assert class_pixels(masks).tolist() == [[0, 1, IGNORED, IGNORED]]
    index = np.random.default_rng(0).integers(0, 4, (9, 11))
    runs = encode([index == number for number in range(4)])
    assert np.array_equal(class_pixels(np.stack(decode(runs))), index)


def test_a_crop_of_a_huge_image_needs_memory_for_the_crop_alone() -> None:
    side = 100_000
    starts = np.arange(0, side * side, side * 50, dtype=np.int64)
    runs = Runs(
        np.array([side]),
        np.array([side]),
        np.array([0, len(starts)]),
        starts,
        np.full(len(starts), 70, np.int64),
    )
    placement = Placement.whole(side, side).part([[1, 0, 500], [0, 1, 20]], 128, 128)
    tracemalloc.start()
    found = mask_pixels(runs, placement, (side, side))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.sum() == 50 * 3
    assert peak < 1_000_000
