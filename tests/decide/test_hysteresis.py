from __future__ import annotations

import itertools

import numpy as np
import pytest

from foldwise.decide.fit_hysteresis import check_metric, fit_hysteresis
from foldwise.decide.fit_thresholds import LABEL_METRICS, TWO_CLASS_METRICS, fit_thresholds
from foldwise.decide.hysteresis import hysteresis, peak_since
from foldwise.decide.timeline import Timeline
from foldwise.errors import ConfigError, NoExactFitError
from foldwise.metrics import METRICS

from .test_timeline import drawn


def slow(scores: np.ndarray, timeline: Timeline, enter: float, leave: float) -> np.ndarray:
    """A state that is walked through, sequence by sequence."""
    found = np.zeros(len(scores), dtype=int)
    for number in set(timeline.sequences.tolist()):
        rows = np.flatnonzero(timeline.sequences == number)
        if number < 0:
            found[rows] = scores[rows] >= enter
            continue
        is_on = False
        for row in rows[np.argsort(timeline.order[rows])]:
            if scores[row] >= enter:
                is_on = True
            elif scores[row] < leave:
                is_on = False
            found[row] = is_on
    return found


@pytest.mark.parametrize(("enter", "leave"), [(0.5, 0.5), (0.7, 0.3), (0.9, 0.1), (2.0, -1.0)])
def test_hysteresis_matches_a_walk_through_the_states(enter: float, leave: float) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        timeline, scores = drawn(rng), rng.random(40).round(1)
        found = hysteresis(scores[:, None], timeline, enter=enter, leave=leave)[:, 0]
        np.testing.assert_array_equal(found, slow(scores, timeline, enter, leave))
        peak = peak_since(scores, timeline, leave)
        np.testing.assert_array_equal(peak >= enter, found)


def test_hysteresis_by_hand() -> None:
    #          off  off  on   on   on   off  off  on   off
    scores = [0.5, 0.79, 0.8, 0.4, 0.7, 0.39, 0.7, 1.0, 0.0]
    timeline = Timeline(np.zeros(9, int), np.arange(9.0))
    found = hysteresis(np.array(scores)[:, None], timeline, enter=0.8, leave=0.4)
    assert found[:, 0].tolist() == [0, 0, 1, 1, 1, 0, 0, 1, 0]


def test_equal_thresholds_are_an_ordinary_threshold() -> None:
    rng = np.random.default_rng(0)
    timeline, scores = drawn(rng), rng.random((40, 3))
    found = hysteresis(scores, timeline, enter=[0.2, 0.5, 0.8], leave=[0.2, 0.5, 0.8])
    np.testing.assert_array_equal(found, scores >= [0.2, 0.5, 0.8])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"enter": 0.4, "leave": 0.5}, "leave 0.5 is above enter 0.4"),
        ({"enter": [0.4, 0.5, 0.6], "leave": 0.1}, "3 thresholds for 2 labels"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        hysteresis(np.zeros((2, 2)), Timeline(np.zeros(2, int), np.arange(2.0)), **options)


def flickering(seed: int) -> tuple[np.ndarray, Timeline, np.ndarray]:
    """Labels that hold for a while, and scores that waver."""
    rng = np.random.default_rng(seed)
    target = np.repeat(rng.integers(0, 2, (8, 2)), 6, axis=0)
    target[0] = 1 - target[-1]  # Both values are there.
    scores = np.clip(0.5 + 0.2 * (2 * target - 1) + 0.3 * rng.normal(size=target.shape), 0, 1)
    order = np.arange(48.0)
    # Eleven different scores at most, so that every lower threshold is tried.
    return scores.round(1), Timeline(np.repeat([0, 1], 24), order), target


def best_of_all(
    scores: np.ndarray, timeline: Timeline, target: np.ndarray, metric: str, *, exclusive: bool
) -> float:
    """The best score of any pair of thresholds, label by label."""
    levels = np.unique(scores)
    places = [levels[0] - 1, *((levels[1:] + levels[:-1]) / 2), levels[-1] + 1]
    best = -np.inf
    for low, high in itertools.combinations_with_replacement(places, 2):
        answers = slow(scores, timeline, high, low)
        preds, truth = (answers, target) if exclusive else (answers[:, None], target[:, None])
        best = max(best, METRICS[metric](preds, truth))
    return best


@pytest.mark.parametrize("metric", ["macro_f1", "label_accuracy", "balanced_accuracy"])
def test_the_fitted_pairs_are_the_best_of_all_pairs(metric: str) -> None:
    for seed in range(3):
        scores, timeline, target = flickering(seed)
        enter, leave = fit_hysteresis(scores, timeline, target, metric=metric)
        found = hysteresis(scores, timeline, enter=enter, leave=leave)
        best = [
            best_of_all(scores[:, c], timeline, target[:, c], metric, exclusive=False)
            for c in range(2)
        ]
        assert METRICS[metric](found, target) == pytest.approx(np.mean(best), abs=1e-12)
        assert (np.array(leave) <= enter).all()


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "balanced_accuracy"])
def test_the_fitted_pair_of_two_exclusive_classes_is_the_best(metric: str) -> None:
    scores, timeline, target = flickering(7)
    share, truth = scores[:, :1], target[:, 0]
    enter, leave = fit_hysteresis(share, timeline, truth[:, None], metric=metric, exclusive=True)
    answers = hysteresis(share, timeline, enter=enter, leave=leave)[:, 0]
    best = best_of_all(share[:, 0], timeline, truth, metric, exclusive=True)
    assert METRICS[metric](answers, truth) == pytest.approx(best, abs=1e-12)


def test_a_pair_is_at_least_as_good_as_one_threshold() -> None:
    for seed in range(10):
        scores, timeline, target = flickering(seed)
        enter, leave = fit_hysteresis(scores, timeline, target, metric="macro_f1")
        single = fit_thresholds(scores, target, metric="macro_f1")
        paired = hysteresis(scores, timeline, enter=enter, leave=leave)
        metric = METRICS["macro_f1"]
        assert metric(paired, target) >= metric((scores >= single).astype(int), target) - 1e-12


def test_where_nothing_is_gained_there_is_no_hysteresis() -> None:
    target = np.array([0, 1, 0, 1, 0, 1])[:, None]
    scores = np.where(target, 0.9, 0.1)
    timeline = Timeline(np.zeros(6, int), np.arange(6.0))
    enter, leave = fit_hysteresis(scores, timeline, target, metric="macro_f1")
    assert enter == leave == [0.5]


def test_metrics_that_are_no_mean_over_labels_are_refused() -> None:
    for metric in LABEL_METRICS:
        check_metric(metric, "macro", exclusive=False)
    for metric in TWO_CLASS_METRICS:
        check_metric(metric, "macro", exclusive=True)
    with pytest.raises(NoExactFitError, match=r"f_beta \(average: micro\); .*average: macro"):
        check_metric("f_beta", "micro", exclusive=False)
    with pytest.raises(NoExactFitError, match="accuracy; it can be to"):
        check_metric("accuracy", "macro", exclusive=False)
