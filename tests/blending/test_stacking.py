from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from foldwise.blending import Blend, Goal, Members, votes
from foldwise.blending.linear_fits import LOGISTIC_PENALTIES, RIDGE_PENALTIES
from foldwise.blending.stacking import logistic, ridge

from .cases import case

Method = Callable[[Members, Goal], Blend]


def penalty_of(notes: tuple[str, ...]) -> float:
    (note,) = notes
    assert note.endswith((" by leave-one-out", " by four inner folds of rows"))
    return float(note.split()[1])


def side_by_side(scores: np.ndarray) -> np.ndarray:
    """(N, M * C), standardised."""
    flat = np.concatenate(list(scores), axis=1)
    standard: np.ndarray = StandardScaler().fit_transform(flat)
    return standard


@pytest.mark.parametrize("kind", ["grades", "numbers"])
def test_ridge_predicts_as_scikit_learn_does(kind: str) -> None:
    found = case(kind, 0)
    blend = ridge(found.members, found.goal)
    penalty = penalty_of(blend.notes)
    assert penalty in RIDGE_PENALTIES
    columns = side_by_side(found.members.scores)
    peer = Ridge(alpha=60 * penalty).fit(columns, found.goal.target)
    np.testing.assert_allclose(blend.apply(found.members)[:, 0], peer.predict(columns))
    sizes = np.abs(peer.coef_)
    np.testing.assert_allclose(blend.weights, sizes / sizes.sum())


def test_ridge_of_classes_is_of_all_columns_kept_at_0_or_more_with_rows_that_sum_to_1() -> None:
    found = case("classes", 0)
    blend = ridge(found.members, found.goal)
    columns = side_by_side(found.members.scores)
    peer = Ridge(alpha=60 * penalty_of(blend.notes)).fit(columns, votes(found.goal.target, 3))
    expected = np.maximum(peer.predict(columns), 0)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(blend.apply(found.members), expected, atol=1e-9)


def test_ridge_of_a_label_reads_that_labels_scores_only() -> None:
    found = case("labels", 0)
    blend = ridge(found.members, found.goal)
    changed = found.members.scores.copy()
    changed[:, :, 1] = 0.5
    before, after = blend.apply(found.members), blend.apply(Members(changed))
    np.testing.assert_array_equal(before[:, [0, 2]], after[:, [0, 2]])
    assert (before[:, 1] != after[:, 1]).any()
    assert 0 <= before.min() <= before.max() <= 1


def test_logistic_predicts_as_scikit_learn_does_from_logarithms() -> None:
    found = case("classes", 0)
    blend = logistic(found.members, found.goal)
    penalty = penalty_of(blend.notes)
    assert penalty in LOGISTIC_PENALTIES
    columns = side_by_side(np.log(found.members.scores))
    peer = LogisticRegression(C=1 / (60 * penalty), tol=1e-8, max_iter=5000)
    peer.fit(columns, found.goal.target)
    np.testing.assert_allclose(
        blend.apply(found.members), peer.predict_proba(columns), rtol=1e-3, atol=1e-4
    )


def test_logistic_of_two_classes_is_one_of_log_odds() -> None:
    found = case("classes", 0)
    scores = found.members.scores[:, :, :2]
    scores = scores / scores.sum(axis=2, keepdims=True)
    goal = replace(found.goal, target=found.goal.target % 2)
    blend = logistic(Members(scores), goal)
    columns = side_by_side(np.log(scores))
    peer = LogisticRegression(C=1 / (60 * penalty_of(blend.notes)), tol=1e-8, max_iter=5000)
    peer.fit(columns, goal.target)
    np.testing.assert_allclose(
        blend.apply(Members(scores)), peer.predict_proba(columns), rtol=1e-3, atol=1e-4
    )


def test_logistic_of_labels_is_one_for_each() -> None:
    found = case("labels", 0)
    only = Members(found.members.scores[:, :, [1]])
    goal = replace(found.goal, target=found.goal.target[:, [1]])
    blend = logistic(only, goal)
    columns = side_by_side(logit(only.scores))
    peer = LogisticRegression(C=1 / (60 * penalty_of(blend.notes)), tol=1e-8, max_iter=5000)
    peer.fit(columns, goal.target[:, 0])
    expected = peer.predict_proba(columns)[:, 1]
    np.testing.assert_allclose(blend.apply(only)[:, 0], expected, rtol=1e-3, atol=1e-4)
    every = logistic(found.members, found.goal).apply(found.members)[:, 1]
    np.testing.assert_allclose(every, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", [ridge, logistic])
def test_a_member_of_noise_gets_little_weight_and_a_constant_one_none(method: Method) -> None:
    found = case("classes", 0, num=3, rows=600)
    rng = np.random.default_rng(1)
    scores = found.members.scores.copy()
    scores[1] = rng.dirichlet(np.ones(3), 600)
    scores[2] = scores[2, 0]
    weights = method(Members(scores), found.goal).weights
    assert weights[2] == 0
    assert weights[1] < 0.2 < 0.8 < weights[0]


@pytest.mark.parametrize("method", [ridge, logistic])
def test_a_class_or_label_without_rows_is_unlikely_and_not_impossible_to_fit(
    method: Method,
) -> None:
    found = case("classes", 0)
    goal = replace(found.goal, target=found.goal.target % 2)
    blended = method(found.members, goal).apply(found.members)
    assert blended[:, 2].max() < 0.01
    one = replace(found.goal, target=np.zeros(60, dtype=int))
    assert method(found.members, one).apply(found.members)[:, 0].min() > 0.97
    labels = case("labels", 0)
    none = replace(labels.goal, target=np.zeros((60, 3), dtype=int))
    assert method(labels.members, none).apply(labels.members).max() < 0.01


@pytest.mark.parametrize("method", [ridge, logistic])
@pytest.mark.parametrize("num_rows", [1, 2, 5])
def test_few_rows_are_enough(method: Method, num_rows: int) -> None:
    found = case("classes", 0)
    rows = np.arange(num_rows)
    blend = method(found.members.take(rows), found.goal.take(rows))
    assert blend.notes == ("penalty 0.1 as set: too little to choose one by",)
    assert np.isfinite(blend.apply(found.members)).all()


@pytest.mark.parametrize("method", [ridge, logistic])
def test_what_factors_will_do_to_columns_is_taken_back(method: Method) -> None:
    found = case("classes", 0, weight=np.random.default_rng(0).random(60) + 0.1)
    factors = np.array([0.5, 1.0, 3.0])
    plain = method(found.members, found.goal).apply(found.members)
    blended = method(found.members, replace(found.goal, factors=factors)).apply(found.members)
    corrected = blended * factors
    corrected /= corrected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected, plain, atol=1e-9)
