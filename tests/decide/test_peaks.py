from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks

from foldwise.decide.peaks import peaks
from foldwise.decide.timeline import Timeline


def in_turn(scores: list[float], times: list[float] | None = None) -> tuple[np.ndarray, Timeline]:
    order = np.arange(float(len(scores))) if times is None else np.array(times)
    return np.array(scores)[:, None], Timeline(np.zeros(len(scores), int), order)


def kept(scores: list[float], reach: float, times: list[float] | None = None) -> list[int]:
    values, timeline = in_turn(scores, times)
    return np.flatnonzero(peaks(values, timeline, reach=reach)[:, 0]).tolist()


@pytest.mark.parametrize("distance", [1, 2, 3, 7, 20])
def test_even_steps_give_the_peaks_of_scipy(distance: int) -> None:
    for seed in range(20):
        scores = np.random.default_rng(seed).random(80) + 0.01
        padded = np.concatenate([[-np.inf], scores, [-np.inf]])
        expected = find_peaks(padded, distance=distance)[0] - 1
        assert kept(scores.tolist(), distance - 1) == expected.tolist()


def test_suppression_by_hand() -> None:
    # 0.9 removes 0.7 beside it; 0.8 is 4 away and stays; 0.5 is removed by 0.8.
    scores = [0.1, 0.9, 0.2, 0.7, 0.1, 0.8, 0.3, 0.5, 0.0]
    assert kept(scores, 0) == [1, 3, 5, 7]
    assert kept(scores, 2) == [1, 5]
    assert kept(scores, 3) == [1, 5]
    assert kept(scores, 4) == [1, 7]
    assert kept(scores, 100) == [1]


def test_a_peak_that_was_removed_removes_none() -> None:
    # 0.8 is removed by 0.9, so 0.7, out of reach of 0.9, stays.
    assert kept([0.9, 0.1, 0.8, 0.1, 0.7], 2) == [0, 4]


def test_reach_is_measured_on_the_order_and_not_in_rows() -> None:
    scores = [0.1, 0.9, 0.2, 0.8, 0.1]
    assert kept(scores, 3, [0, 1, 2, 3, 4]) == [1]
    assert kept(scores, 3, [0, 1, 2, 30, 31]) == [1, 3]


def test_a_level_stretch_has_one_peak_in_its_middle() -> None:
    assert kept([0.1, 0.5, 0.5, 0.5, 0.2], 0) == [2]
    assert kept([0.1, 0.5, 0.5, 0.2], 0) == [1]
    assert kept([0.5] * 5, 0) == [2]


def test_of_equal_peaks_the_earlier_stays() -> None:
    assert kept([0.5, 0.1, 0.5, 0.1, 0.5], 2) == [0, 4]


def test_peaks_keep_their_scores_and_the_rest_is_0() -> None:
    values, timeline = in_turn([0.2, 0.9, 0.3])
    assert peaks(values, timeline, reach=1)[:, 0].tolist() == [0.0, 0.9, 0.0]
