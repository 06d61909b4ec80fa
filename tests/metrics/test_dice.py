"""Dice against scikit-learn on flattened pixels and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from foldwise.metrics.dice import dice_nonempty, dice_per_mask, headroom_share, mean_dice
from foldwise.metrics.mask_counts import MaskCounts

from .mask_cases import overlapping


def test_dice_of_every_mask_is_scikit_learns_f1_of_its_pixels() -> None:
    masks = overlapping()
    found = dice_per_mask(masks.counts)
    for image, (answer, truth) in enumerate(zip(masks.answers, masks.truths, strict=True)):
        for c in range(3):
            oracle = f1_score(truth[c].ravel(), answer[c].ravel(), zero_division=1.0)
            assert found[image, c] == pytest.approx(oracle)


def test_empty_to_empty_is_1_and_anything_against_nothing_0() -> None:
    counts = MaskCounts(*np.array([[[0, 0, 0]], [[0, 4, 0]], [[0, 0, 7]]]))
    assert dice_per_mask(counts).tolist() == [[1.0, 0.0, 0.0]]


def test_the_mean_is_over_images_and_classes_and_rows_weigh() -> None:
    # Dice 1 (empty), 0.5, 0 and 1.
    counts = MaskCounts(*np.array([[[0, 1], [0, 2]], [[0, 2], [3, 2]], [[0, 2], [0, 2]]]))
    assert mean_dice(counts) == pytest.approx(2.5 / 4)
    assert mean_dice(counts, np.array([3.0, 1.0])) == pytest.approx((3 * 0.75 + 0.5) / 4)
    assert dice_nonempty(counts) == pytest.approx(0.75)
    assert dice_nonempty(counts, np.array([3.0, 1.0])) == pytest.approx((3 * 0.5 + 1.0) / 4)


@pytest.mark.parametrize("weight", [None, np.arange(12.0)])
def test_headroom_is_what_lies_between_the_all_empty_answer_and_1(weight) -> None:
    counts = overlapping().counts
    nothing = np.zeros_like(counts.true)
    empty = MaskCounts(nothing, nothing, counts.true)
    floor = mean_dice(empty, weight)
    assert 0.05 < floor < 0.9
    expected = (mean_dice(counts, weight) - floor) / (1 - floor)
    assert headroom_share(counts, weight) == pytest.approx(expected)
    assert headroom_share(empty, weight) == 0
    false = MaskCounts(nothing, counts.true + 1, counts.true)
    assert headroom_share(false, weight) == pytest.approx(-floor / (1 - floor))


def test_without_a_truth_dice_of_truths_and_headroom_are_undefined() -> None:
    zeros = np.zeros((4, 2), np.int64)
    counts = MaskCounts(zeros, zeros + 1, zeros)
    for metric in (dice_nonempty, headroom_share):
        with pytest.raises(ValueError, match="no truth has a pixel"):
            metric(counts)
    some = MaskCounts(*(np.concatenate([each, zeros[:1] + 1]) for each in (zeros, zeros, zeros)))
    with pytest.raises(ValueError, match="no truth has a pixel"):
        dice_nonempty(some, np.array([1.0, 1.0, 1.0, 1.0, 0.0]))
