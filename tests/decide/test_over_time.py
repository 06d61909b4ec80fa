"""What holds for every step over time: rows in any order, and sequences that do not see others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.decide import OVER_TIME
from foldwise.decide.timeline import Timeline

from .test_timeline import drawn

OPTIONS: dict[str, dict[str, Any]] = {
    "moving_average": {"reach": 9.0},
    "median": {"reach": 9.0},
    "peaks": {"reach": 9.0},
    "hysteresis": {"enter": [0.7, 0.5], "leave": 0.4},
}


def test_every_step_over_time_has_options_here() -> None:
    assert OPTIONS.keys() == OVER_TIME.keys()


@pytest.mark.parametrize("name", OVER_TIME)
@given(seed=st.integers(0, 9999))
@settings(max_examples=25, deadline=None)
def test_rows_in_another_order_get_the_same(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    timeline, scores = drawn(rng), rng.random((40, 2)).round(1)
    found = OVER_TIME[name](scores, timeline, **OPTIONS[name])
    order = rng.permutation(40)
    again = OVER_TIME[name](scores[order], timeline.take(order), **OPTIONS[name])
    np.testing.assert_array_equal(again, found[order])


@pytest.mark.parametrize("name", OVER_TIME)
@given(seed=st.integers(0, 9999))
@settings(max_examples=25, deadline=None)
def test_sequences_side_by_side_do_not_see_each_other(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    timeline, scores = drawn(rng), rng.random((40, 2)).round(1)
    found = OVER_TIME[name](scores, timeline, **OPTIONS[name])
    for number in np.unique(timeline.sequences[timeline.sequences >= 0]):
        rows = np.flatnonzero(timeline.sequences == number)
        alone = OVER_TIME[name](scores[rows], timeline.take(rows), **OPTIONS[name])
        np.testing.assert_array_equal(alone, found[rows])


@pytest.mark.parametrize("name", OVER_TIME)
@pytest.mark.parametrize("classes", [2])
def test_two_exclusive_classes_are_handled_where_it_matters(name: str, classes: int) -> None:
    if name == "moving_average":
        return
    rng = np.random.default_rng(0)
    share = rng.random(30)
    scores, timeline = np.stack([1 - share, share], axis=1), drawn(rng, num=30)
    options = {key: value[1] if key == "enter" else value for key, value in OPTIONS[name].items()}
    found = OVER_TIME[name](scores, timeline, **options, exclusive=True)
    one = OVER_TIME[name](share[:, None], timeline, **options)[:, 0]
    if name == "hysteresis":
        np.testing.assert_array_equal(found, one)
    else:
        np.testing.assert_allclose(found[:, 1], one)
        np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("name", OVER_TIME)
def test_rows_that_are_alone_are_decided_by_themselves(name: str) -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.6]])
    timeline = Timeline(np.array([-1, -1]), np.zeros(2))
    found = OVER_TIME[name](scores, timeline, **OPTIONS[name])
    expected = scores >= [0.7, 0.5] if name == "hysteresis" else scores
    np.testing.assert_array_equal(found, expected)
