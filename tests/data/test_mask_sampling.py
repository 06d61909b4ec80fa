"""Samplers of images with masks against hand-worked shares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foldwise.data.batches import epoch_order
from foldwise.data.mask_sampling import (
    BY_PEAK,
    MASK_SAMPLERS,
    MaskStanding,
    defects,
    hard_negatives,
    peaks,
)

# Two rows of class 0, one of classes 0 and 1, five clean ones; nothing has class 2.
PRESENT = np.zeros((8, 3), bool)
PRESENT[:3, 0] = True
PRESENT[2, 1] = True
UNSEEN = np.full(8, np.nan)


def standing(found: np.ndarray = UNSEEN, present: np.ndarray = PRESENT) -> MaskStanding:
    return MaskStanding(present, found)


def shares(weights: np.ndarray | None) -> np.ndarray:
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    return weights / weights.sum()


@pytest.mark.parametrize("name", MASK_SAMPLERS)
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_share_goes_to_rows_with_something_and_classes_are_alike(name: str, share: float) -> None:
    found = shares(MASK_SAMPLERS[name](standing(), share=share))
    # Half of the share to each class that there is: class 0 by thirds, class 1 to the one row.
    expected = [share / 6, share / 6, share / 6 + share / 2, *[(1 - share) / 5] * 5]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("name", MASK_SAMPLERS)
def test_without_any_defect_every_row_is_drawn_once(name: str) -> None:
    assert MASK_SAMPLERS[name](standing(present=np.zeros((8, 3), bool))) is None


@pytest.mark.parametrize("name", MASK_SAMPLERS)
def test_without_clean_rows_all_draws_go_to_the_others(name: str) -> None:
    found = shares(MASK_SAMPLERS[name](standing(UNSEEN[:3], PRESENT[:3]), share=0.3))
    assert found == pytest.approx([1 / 6, 1 / 6, 2 / 3])


def test_clean_rows_are_drawn_by_their_peaks_above_a_floor() -> None:
    seen = np.array([1.0, 1.0, 1.0, 0.9, 0.3, 0.0, np.nan, np.nan])
    # Those not seen count as the mean of the clean ones that were, 0.4.
    by_peak = np.array([0.9, 0.3, 0.0, 0.4, 0.4]) / 2.0
    found = shares(hard_negatives(standing(seen), floor=0.0))[3:]
    assert found == pytest.approx(0.5 * by_peak)
    found = shares(hard_negatives(standing(seen), floor=0.2, share=0.6))[3:]
    assert found == pytest.approx(0.4 * (0.2 / 5 + 0.8 * by_peak))
    squared = np.array([0.9, 0.3, 0.0, 0.4, 0.4]) ** 2
    found = shares(hard_negatives(standing(seen), floor=0.0, power=2))[3:]
    assert found == pytest.approx(0.5 * squared / squared.sum())


def test_peaks_of_rows_with_defects_change_nothing() -> None:
    seen = np.full(8, 0.5)
    other = seen.copy()
    other[:3] = [0.0, 1.0, np.nan]
    first, second = (hard_negatives(standing(found)) for found in (seen, other))
    assert shares(first) == pytest.approx(shares(second))
    assert shares(first) == pytest.approx(shares(defects(standing())))


def test_rows_are_drawn_by_their_shares() -> None:
    weights = defects(standing(), share=0.5)
    drawn = np.concatenate([epoch_order(8, key, weights) for key in range(600)])
    found = np.bincount(drawn, minlength=8) / len(drawn)
    assert found == pytest.approx(shares(weights), abs=0.02)


def test_a_peak_is_the_mean_of_the_highest_pixels_of_the_surest_class() -> None:
    probs = torch.zeros(2, 3, 20, 50)
    probs[0, 1, :2, :5] = torch.linspace(0.1, 1.0, 10).view(2, 5)
    probs[0, 2] = 0.55
    probs[1, 0, 0, 0] = 1.0
    # Ten pixels of a thousand.
    assert peaks(probs, share=0.01).tolist() == pytest.approx([0.55, 0.1])
    assert peaks(probs, share=0.002).tolist() == pytest.approx([0.95, 0.5])
    assert peaks(probs, share=1e-9).tolist() == pytest.approx([1.0, 1.0])


def test_what_draws_by_peaks_is_known() -> None:
    seen = np.linspace(0, 1, 8)
    for name, sampler in MASK_SAMPLERS.items():
        reads = not np.allclose(shares(sampler(standing(seen))), shares(sampler(standing())))
        assert reads == (name in BY_PEAK)
