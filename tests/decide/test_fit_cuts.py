from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.cuts import cuts, half_cuts
from foldwise.decide.fit_cuts import CUT_METRICS, fit_cuts
from foldwise.errors import NoExactFitError

from .brute import away, cases, every_cut

GRADES = 4


def totals(metric: str, answers: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(P,) of (P, N) answers, higher is better; -inf where undefined. Written from definitions."""
    error = (answers - target).astype(float)
    if metric == "qwk":
        pairs = np.square(answers[:, None, :] - target[None, :, None])
        chance = np.einsum("i,pij,j->p", weights, pairs, weights) / weights.sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            kappa = 1 - np.square(error) @ weights / chance
        return np.where(chance > 0, kappa, -np.inf)
    if metric == "mae":
        return -np.abs(error) @ weights / weights.sum()
    if metric == "rmse":
        return -np.sqrt(np.square(error) @ weights / weights.sum())
    if metric == "accuracy":
        return (error == 0) @ weights / weights.sum()
    here = [grade for grade in range(GRADES) if weights[target == grade].any()]
    recalls = [
        (error[:, target == g] == 0) @ weights[target == g] / weights[target == g].sum()
        for g in here
    ]
    return np.mean(recalls, axis=0)


@pytest.mark.parametrize("metric", CUT_METRICS)
def test_no_cuts_are_better_than_the_fitted_in_a_thousand_cases(metric: str) -> None:
    fixed = np.array(half_cuts(GRADES))
    for scores, target, weight in cases(1000, num_classes=GRADES):
        fitted = fit_cuts(scores, target, metric=metric, num_grades=GRADES, weight=weight)
        weights = np.ones(len(target)) if weight is None else weight
        here = weights > 0
        every, ways = every_cut(scores[here], GRADES - 1)
        reached = totals(metric, every, target[here], weights[here])
        answers = cuts(scores[here, None], values=fitted)
        chosen = (every == answers).all(axis=1)
        assert chosen.sum() >= 1
        score = reached[chosen][0]
        if score == -np.inf:  # One grade in the target: kappa is 0 or undefined, cuts stay.
            assert len(set(target[here])) == 1
            continue
        assert score >= reached.max() - 1e-11
        if weight is None:
            equal = reached >= reached.max() - 1e-13
            distance = away(scores[here], ways, fixed)
            if not (metric == "qwk" and len(set(target)) == 1):
                assert distance[chosen].min() <= distance[equal].min() + 1e-9


@pytest.mark.parametrize("metric", CUT_METRICS)
def test_cuts_lie_midway_between_neighbouring_scores(metric: str) -> None:
    scores = np.array([0.0, 0.1, 0.5, 0.7, 3.0, 3.5])
    target = np.array([0, 0, 1, 1, 2, 2])
    found = fit_cuts(scores, target, metric=metric, num_grades=3)
    assert found == pytest.approx([0.3, 1.85])


def test_rows_of_weight_0_are_absent_and_weights_are_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 4, 60)
    scores = np.round(target + rng.normal(size=60), 1)
    times = rng.integers(0, 3, 60)
    for metric in CUT_METRICS:
        weighted = fit_cuts(scores, target, metric=metric, num_grades=4, weight=times)
        repeated = fit_cuts(
            np.repeat(scores, times), np.repeat(target, times), metric=metric, num_grades=4
        )
        assert weighted == repeated


@pytest.mark.parametrize("metric", CUT_METRICS)
def test_constant_scores_get_one_grade_and_kappa_leaves_them_theirs(metric: str) -> None:
    scores, target = np.full(5, 1.7), np.array([0, 0, 0, 1, 3])
    found = fit_cuts(scores, target, metric=metric, num_grades=4)
    answers = cuts(scores[:, None], values=found)
    best = {"qwk": 2, "accuracy": 0, "balanced_accuracy": 1, "mae": 0, "rmse": 1}
    assert set(answers) == {best[metric]}


@pytest.mark.parametrize("metric", CUT_METRICS)
def test_one_grade_in_the_target_is_given_to_all_and_kappa_leaves_the_fixed(metric: str) -> None:
    scores, target = np.array([0.2, 1.1, 1.3, 2.9]), np.array([2, 2, 2, 2])
    found = fit_cuts(scores, target, metric=metric, num_grades=4)
    answers = cuts(scores[:, None], values=found).tolist()
    assert answers == ([0, 1, 1, 3] if metric == "qwk" else [2, 2, 2, 2])


def test_an_empty_grade_has_two_cuts_in_one_gap_or_lies_beyond_all_scores() -> None:
    scores, target = np.array([0.0, 1.0, 4.0]), np.array([1, 1, 3])
    found = fit_cuts(scores, target, metric="accuracy", num_grades=5)
    assert found == pytest.approx([-0.5, 2.0, 3.0, 4.5])
    assert cuts(scores[:, None], values=found).tolist() == [1, 1, 3]


def test_neighbours_a_few_floating_point_steps_apart_are_not_torn() -> None:
    near = np.nextafter(2.0, 3.0)
    scores, target = np.array([2.0, near, 2.0, near, 3.0]), np.array([0, 3, 0, 3, 3])
    found = fit_cuts(scores, target, metric="accuracy", num_grades=4)
    assert len(set(cuts(scores[:4, None], values=found))) == 1
    tiny = np.array([0.0, 1e-300, 2e-300])
    found = fit_cuts(tiny, np.array([0, 1, 3]), metric="qwk", num_grades=4)
    assert cuts(tiny[:, None], values=found).tolist() == [0, 1, 3]


def test_cuts_stay_near_those_named_as_fixed() -> None:
    scores, target = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1, 0, 1, 0])
    low = fit_cuts(scores, target, metric="accuracy", num_grades=2, fixed=[0.18])
    high = fit_cuts(scores, target, metric="accuracy", num_grades=2, fixed=[9.0])
    assert low == pytest.approx([0.25])
    assert high == pytest.approx([9.0])


def test_large_tables_are_cut_to_the_same_optimum_whatever_the_start() -> None:
    rng = np.random.default_rng(1)
    target = rng.choice(5, 20_000, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    scores = 0.6 * target + rng.normal(size=20_000)
    found = {
        tuple(fit_cuts(scores, target, metric="qwk", num_grades=5, fixed=fixed))
        for fixed in (None, [-9.0, -8.0, -7.0, -6.0], [0.1, 0.2, 0.3, 5.0])
    }
    assert len(found) == 1


def test_what_cannot_be_fitted_exactly_is_refused_by_name() -> None:
    for metric in ("macro_f1", "f_beta", "mine:score"):
        with pytest.raises(NoExactFitError, match=rf"exactly to {metric}, .* can be to qwk"):
            fit_cuts(np.zeros(2), np.array([0, 1]), metric=metric, num_grades=2)


@pytest.mark.parametrize(
    ("scores", "target", "message"),
    [
        ([], [], "no rows"),
        ([0.1], [0, 1], "shape"),
        ([0.1, np.nan], [0, 1], "NaN"),
        ([0.1, -np.inf], [0, 1], "NaN or infinite"),
        ([0.1, 0.2], [0, 4], r"\[0, 4\)"),
        ([0.1, 0.2], [0.0, 1.0], "whole numbers"),
    ],
)
def test_rows_that_cannot_be_fitted_are_refused(
    scores: list[float], target: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_cuts(np.array(scores), np.array(target), metric="qwk", num_grades=4)


def test_another_number_of_fixed_cuts_is_refused() -> None:
    with pytest.raises(ValueError, match="3 grades need 2 fixed cuts"):
        fit_cuts(np.zeros(2), np.array([0, 1]), metric="qwk", num_grades=3, fixed=[0.5])
