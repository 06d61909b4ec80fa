from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

from foldwise.masks.overlap import covered, dice, intersections, iou
from foldwise.masks.runs import encode
from foldwise.masks.sets import complement, unite

from .cases import generate

pytestmark = pytest.mark.usefixtures("way")


def pairs(num: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Masks of equal sizes: alike, of unlike kinds, and equal."""
    first = generate(num, seed)
    rng = np.random.default_rng(seed)
    second = []
    for number, mask in enumerate(first):
        other = [np.roll(mask, 1, axis=number % 2), mask, 1 - mask, rng.random(mask.shape) < 0.3]
        second.append(np.asarray(other[rng.integers(4)], np.uint8))
    return first, second


def test_overlaps_are_those_of_the_pixels() -> None:
    first, second = pairs(3000, 0)
    ones, twos = encode(first), encode(second)
    both = np.array([int((a & b).sum()) for a, b in zip(first, second, strict=True)])
    total = np.array([int(a.sum() + b.sum()) for a, b in zip(first, second, strict=True)])
    np.testing.assert_array_equal(intersections(ones, twos), both)
    np.testing.assert_array_equal(intersections(twos, ones), both)
    full = np.where(total > 0, total, 1)
    np.testing.assert_array_equal(dice(ones, twos), np.where(total > 0, 2 * both / full, 1))
    union = np.where(total > 0, total - both, 1)
    np.testing.assert_array_equal(iou(ones, twos), np.where(total > 0, both / union, 1))


def test_iou_is_that_of_pycocotools() -> None:
    first, second = pairs(500, 1)
    ours = iou(encode(first), encode(second))
    for one, two, found in zip(first, second, ours, strict=True):
        coded = [coco.encode(np.asfortranarray(mask)) for mask in (one, two)]
        if one.any() or two.any():
            assert found == coco.iou([coded[0]], [coded[1]], [0])[0, 0]
        else:
            assert found == 1


def test_sizes_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="1 masks against 2"):
        dice(encode([np.eye(2)]), encode([np.eye(2)] * 2))
    with pytest.raises(ValueError, match="mask 1: sizes differ, 2 x 3 and 3 x 2"):
        iou(encode([np.eye(2), np.ones((2, 3))]), encode([np.eye(2), np.ones((3, 2))]))


def test_unions_are_those_of_the_pixels() -> None:
    rng = np.random.default_rng(2)
    shapes = [(7, 9), (1, 12), (12, 1), (30, 20), (5, 5)]
    groups = rng.integers(0, 4, 60)  # The last has no member.
    masks = [(rng.random(shapes[group]) < 0.2).astype(np.uint8) for group in groups]
    masks[:2] = [np.ones_like(mask) for mask in masks[:2]]
    heights, widths = np.array(shapes).T
    united = unite(encode(masks), groups, heights, widths)
    wanted = [np.zeros(shape, bool) for shape in shapes]
    for group, mask in zip(groups, masks, strict=True):
        wanted[group] |= mask > 0
    expected = encode(wanted)
    for name in ("heights", "widths", "offsets", "starts", "lengths"):
        np.testing.assert_array_equal(getattr(united, name), getattr(expected, name))


def test_complements_are_those_of_the_pixels() -> None:
    masks = generate(800, seed=3)
    found, expected = complement(encode(masks)), encode([1 - mask for mask in masks])
    for name in ("heights", "widths", "offsets", "starts", "lengths"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_what_is_covered_of_each_run_is_that_of_the_pixels() -> None:
    first, second = pairs(1000, 3)
    runs = encode(first)
    # Masks lie on one line, down the columns.
    other = np.concatenate([mask.T.ravel() for mask in second])
    begin = runs.starts + runs.places[:-1][runs.owners]
    expected = [
        int(other[low : low + length].sum())
        for low, length in zip(begin.tolist(), runs.lengths.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(covered(runs, encode(second)), expected)
    assert covered(encode([np.zeros((2, 2))]), encode([np.ones((2, 2))])).tolist() == []
