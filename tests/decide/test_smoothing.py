from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from foldwise.decide.smoothing import SCORE_STEPS, median, moving_average
from foldwise.decide.timeline import Timeline

from .test_timeline import brute_windows, drawn

FRAMES = Path(__file__).parents[2].parent / "shared" / "data" / "street-frames" / "train.csv"
SLOW = {"moving_average": np.mean, "median": np.median}


@pytest.mark.parametrize("name", SCORE_STEPS)
@pytest.mark.parametrize("reach", [0.0, 2.0, 9.0, 500.0])
def test_smoothing_matches_a_slow_one(name: str, reach: float) -> None:
    rng = np.random.default_rng(3)
    timeline, scores = drawn(rng), rng.random((40, 3))
    windows = brute_windows(timeline, reach)
    slow = [SLOW[name](scores[sorted(window)], axis=0) for window in windows]
    np.testing.assert_allclose(SCORE_STEPS[name](scores, timeline, reach=reach), slow, rtol=1e-12)


def test_smoothing_of_even_steps_is_that_of_scipy_inside_and_of_pandas_to_the_ends() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(60)
    timeline = Timeline(np.zeros(60, int), 30.0 * np.arange(60))
    mean = moving_average(scores[:, None], timeline, reach=90)[:, 0]
    middle = median(scores[:, None], timeline, reach=90)[:, 0]
    np.testing.assert_allclose(mean[3:-3], ndimage.uniform_filter1d(scores, 7)[3:-3])
    np.testing.assert_array_equal(middle[3:-3], ndimage.median_filter(scores, 7)[3:-3])
    rolling = pd.Series(scores).rolling(7, center=True, min_periods=1)
    np.testing.assert_allclose(mean, rolling.mean())
    np.testing.assert_allclose(middle, rolling.median())


@pytest.mark.parametrize("name", SCORE_STEPS)
@given(seed=st.integers(0, 999), reach=st.floats(0, 50), value=st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_a_constant_score_is_unchanged(name: str, seed: int, reach: float, value: float) -> None:
    timeline = drawn(np.random.default_rng(seed), num=20)
    scores = np.full((20, 2), value)
    np.testing.assert_array_equal(SCORE_STEPS[name](scores, timeline, reach=reach), scores)


def test_the_median_of_exclusive_classes_still_sums_to_one() -> None:
    rng = np.random.default_rng(2)
    timeline, scores = drawn(rng), rng.dirichlet(np.ones(3), 40)
    plain = median(scores, timeline, reach=40)
    assert not np.allclose(plain.sum(axis=1), 1)
    found = median(scores, timeline, reach=40, exclusive=True)
    np.testing.assert_allclose(found, plain / plain.sum(axis=1, keepdims=True))


def test_medians_that_are_all_0_leave_a_row_of_exclusive_classes_as_it_is() -> None:
    timeline, scores = Timeline(np.zeros(3, int), np.arange(3.0)), np.eye(3)
    found = median(scores, timeline, reach=1, exclusive=True)
    np.testing.assert_array_equal(found[1], scores[1])


def test_a_median_forgets_one_outlier_and_keeps_an_edge() -> None:
    scores = np.array([0, 0, 9, 0, 0, 1, 1, 1.0])[:, None]
    timeline = Timeline(np.zeros(8, int), np.arange(8.0))
    assert median(scores, timeline, reach=1)[:, 0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


def test_many_rows_are_smoothed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    timeline, scores = drawn(rng, num=200), rng.random((200, 2))
    whole = median(scores, timeline, reach=40)
    monkeypatch.setattr("foldwise.decide.smoothing._AT_ONCE", 7)
    np.testing.assert_array_equal(median(scores, timeline, reach=40), whole)


@pytest.mark.real
@pytest.mark.skipif(not FRAMES.exists(), reason="the pack is absent")
def test_frames_of_uneven_steps_are_smoothed_by_time() -> None:
    table = pd.read_csv(FRAMES)
    sequences, order = pd.factorize(table["sequence"])[0], table["frame_no"].to_numpy(float)
    timeline = Timeline(sequences, order)
    assert np.median(timeline.steps) == 30
    assert timeline.steps.min() == 2
    scores = np.random.default_rng(0).random((len(table), 2))
    windows = brute_windows(timeline, 30.0)
    assert {len(window) for window in windows} > {2, 3}
    assert max(map(len, windows)) > 20
    for name, function in SCORE_STEPS.items():
        slow = [SLOW[name](scores[sorted(window)], axis=0) for window in windows]
        np.testing.assert_allclose(function(scores, timeline, reach=30.0), slow, rtol=1e-12)
