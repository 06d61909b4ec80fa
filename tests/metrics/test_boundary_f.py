"""Boundary F against distance maps by scipy, and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt

from foldwise.masks.runs import encode
from foldwise.metrics import METRICS, bind
from foldwise.metrics.boundary_f import boundary_f, count_boundaries, f1_of_outlines

from .mask_cases import overlapping


def _by_distance_maps(answer, truth, hidden, tolerance: float) -> tuple[int, int, int, int]:
    outlines = [mask & ~binary_erosion(mask) for mask in (answer, truth)]
    seen = ~binary_dilation(hidden)
    reach = tolerance * np.hypot(*truth.shape)
    close = [
        distance_transform_edt(~each) <= reach if each.any() else np.zeros_like(each)
        for each in outlines
    ]
    precise, found = outlines[0] & close[1] & seen, outlines[1] & close[0] & seen
    return precise.sum(), (outlines[0] & seen).sum(), found.sum(), (outlines[1] & seen).sum()


@pytest.mark.parametrize("is_hidden", [False, True])
@pytest.mark.parametrize("tolerance", [0.0, 0.03, 0.1, 1.0])
def test_counts_of_outlines_are_those_of_distance_maps(tolerance: float, is_hidden: bool) -> None:
    masks = overlapping()
    hidden = masks.ignored if is_hidden else [np.zeros_like(each) for each in masks.ignored]
    ignored = encode(hidden) if is_hidden else None
    counts = count_boundaries(*masks.runs, 3, ignored, tolerance=tolerance)
    for i, (answer, truth) in enumerate(zip(masks.answers, masks.truths, strict=True)):
        for c in range(3):
            expected = _by_distance_maps(answer[c], truth[c], hidden[i], tolerance)
            found = [x[i, c] for x in (counts.precise, counts.answered, counts.found, counts.true)]
            assert tuple(found) == expected


def _squares(*corners: int, size: int = 3) -> np.ndarray:
    masks = np.zeros((len(corners), 30, 40), bool)
    for mask, corner in zip(masks, corners, strict=True):
        mask[corner : corner + size, corner : corner + size] = True
    return masks


def test_a_shift_within_the_tolerance_costs_nothing_and_beyond_it_what_is_too_far() -> None:
    truth, shifted = encode(_squares(5)), encode(_squares(6))
    # A diagonal of 50 pixels: the corner away from the other square is sqrt(2) from it.
    assert boundary_f(_lines(shifted, truth, 1.5 / 50), tolerance=1.5 / 50) == 1.0
    # Within 1 pixel: all of the 8 but that corner.
    assert boundary_f(_lines(shifted, truth, 0.02), tolerance=0.02) == pytest.approx(7 / 8)
    # Without tolerance: rows 6 and 7 have 3 outline pixels of both, less either one's middle.
    assert boundary_f(_lines(shifted, truth, 0.0), tolerance=0.0) == pytest.approx(2 / 8)
    assert boundary_f(_lines(encode(_squares(20)), truth, 0.02), tolerance=0.02) == 0.0


def _lines(answers, truths, tolerance: float):
    return count_boundaries(answers, truths, 1, tolerance=tolerance)


def test_classes_in_neither_do_not_count_and_an_image_without_any_scores_1() -> None:
    nothing = np.zeros((30, 40), bool)
    square = _squares(5)[0]
    answers = encode([square, nothing, nothing, square, nothing, nothing])
    truths = encode([square, nothing, square, nothing, nothing, nothing])
    counts = count_boundaries(answers, truths, 2)
    scores = f1_of_outlines(counts)
    np.testing.assert_array_equal(scores, [[1.0, np.nan], [0.0, 0.0], [np.nan, np.nan]])
    assert boundary_f(counts) == pytest.approx(2 / 3)
    assert boundary_f(counts, np.array([1.0, 3.0, 0.0])) == pytest.approx(1 / 4)


def test_a_mask_of_the_whole_image_has_the_images_edge_for_outline() -> None:
    full = encode([np.ones((30, 40), bool)])
    counts = count_boundaries(full, encode([np.zeros((30, 40), bool)]), 1)
    assert (counts.answered.item(), counts.true.item()) == (2 * 30 + 2 * 40 - 4, 0)
    assert boundary_f(counts) == 0.0


def test_the_tolerance_of_a_recipe_reaches_the_count_and_another_is_refused() -> None:
    masks = overlapping()
    metric = bind(METRICS, {"name": "boundary_f", "tolerance": 0.05})
    counts = metric.count(*masks.runs, 3)
    assert counts.tolerance == 0.05
    expected = boundary_f(count_boundaries(*masks.runs, 3, tolerance=0.05), tolerance=0.05)
    assert metric(counts, counts.true) == expected
    assert expected > boundary_f(count_boundaries(*masks.runs, 3))
    with pytest.raises(ValueError, match=r"tolerance of 0.05, asked is 0.0075"):
        METRICS["boundary_f"](counts, counts.true)
