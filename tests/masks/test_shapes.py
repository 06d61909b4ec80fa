from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from foldwise.masks.runs import Runs, decode, encode
from foldwise.masks.shapes import components, cut, drop_small, fill_holes, keep_largest, label

from .cases import generate

pytestmark = pytest.mark.usefixtures("way")

MASKS = generate(1200, seed=6)
STRUCTURES = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3))}


def oracle(mask: np.ndarray, connectivity: int) -> np.ndarray:
    """scipy's labels, numbered by their first pixel down the columns."""
    found = ndimage.label(mask.T, STRUCTURES[connectivity])[0].T
    return np.asarray(found)


def check_runs(runs: Runs) -> None:
    """Rising, within the masks, and no run where the one before it ends."""
    same = np.diff(runs.owners) == 0
    assert (runs.starts[1:][same] > runs.ends[:-1][same]).all()
    assert (runs.lengths > 0).all()


@pytest.mark.parametrize("connectivity", [4, 8])
def test_components_are_those_of_scipy(connectivity: int) -> None:
    found = components(encode(MASKS), connectivity=connectivity)
    areas = [np.bincount(oracle(mask, connectivity).ravel())[1:] for mask in MASKS]
    np.testing.assert_array_equal(found.areas, np.concatenate(areas))
    np.testing.assert_array_equal(found.owners, np.repeat(np.arange(1200), [*map(len, areas)]))
    for mask in MASKS[:300]:
        wanted = oracle(mask, connectivity)
        np.testing.assert_array_equal(label(mask, connectivity=connectivity), wanted)


def test_a_run_over_a_column_border_need_not_hang_together() -> None:
    mask = np.array([[0, 1], [0, 0], [1, 0]])
    assert encode([mask]).counts.tolist() == [1]
    assert components(encode([mask])).areas.tolist() == [1, 1]
    diagonal = np.eye(4)
    assert len(components(encode([diagonal]), connectivity=8).areas) == 1
    assert len(components(encode([diagonal]), connectivity=4).areas) == 4


def test_cut_pieces_lie_in_one_column_each() -> None:
    pieces = cut(encode(MASKS))
    heights = pieces.heights[pieces.owners]
    np.testing.assert_array_equal(pieces.starts // heights, (pieces.ends - 1) // heights)
    np.testing.assert_array_equal(pieces.areas, encode(MASKS).areas)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_small_components_are_dropped(connectivity: int) -> None:
    for least in (1, 4, 30):
        runs = drop_small(encode(MASKS), least, connectivity=connectivity)
        check_runs(runs)
        for mask, back in zip(MASKS, decode(runs), strict=True):
            labels = oracle(mask, connectivity)
            big = np.bincount(labels.ravel()) >= least
            np.testing.assert_array_equal(back, big[labels] & (mask > 0))


def test_each_mask_can_have_its_own_smallest_area() -> None:
    masks = [np.eye(3), np.eye(3), np.zeros((3, 3))]
    assert drop_small(encode(masks), np.array([4, 3, 0])).areas.tolist() == [0, 3, 0]


@pytest.mark.parametrize("connectivity", [4, 8])
def test_the_largest_component_is_kept_and_of_equals_the_first(connectivity: int) -> None:
    runs = keep_largest(encode(MASKS), connectivity=connectivity)
    check_runs(runs)
    for mask, back in zip(MASKS, decode(runs), strict=True):
        labels = oracle(mask, connectivity)
        areas = np.bincount(labels.ravel())
        largest = 1 + np.argmax(areas[1:]) if mask.any() else 1
        np.testing.assert_array_equal(back, labels == largest)


def test_holes_are_filled_as_scipy_fills_them() -> None:
    rings = [ndimage.binary_dilation(mask) ^ (mask > 0) for mask in MASKS]
    runs = fill_holes(encode(rings))
    check_runs(runs)
    assert sum(runs.areas) > sum(encode(rings).areas)
    for ring, back in zip(rings, decode(runs), strict=True):
        np.testing.assert_array_equal(back, ndimage.binary_fill_holes(ring))
    np.testing.assert_array_equal(
        fill_holes(encode(MASKS)).areas, [ndimage.binary_fill_holes(mask).sum() for mask in MASKS]
    )


def test_no_masks_have_no_components() -> None:
    none = encode([])
    assert len(components(none).areas) == 0
    for function in (keep_largest, fill_holes):
        assert len(function(none)) == 0
    assert label(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
