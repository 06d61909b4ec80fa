from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from foldwise.blending import Goal, Members
from foldwise.blending.convex import convex
from foldwise.blending.simplex import TOLERANCE, least_log_loss, least_squares
from foldwise.errors import ConfigError, DataError

from .cases import Case, case


def by_slsqp(loss: Callable[[np.ndarray], float], num_members: int) -> tuple[float, np.ndarray]:
    """The least loss of weights of 0 or more that sum to 1, without a word of its shape."""
    found = minimize(
        loss,
        np.full(num_members, 1 / num_members),
        method="SLSQP",
        bounds=[(0, 1)] * num_members,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-13, "maxiter": 1000},
    )
    return found.fun, found.x


def losses_of(found: Case, loss: str, weight: np.ndarray | None) -> Callable[[np.ndarray], float]:
    target, scores = found.goal.target, found.members.scores

    def by_log(weights: np.ndarray) -> float:
        blended = np.tensordot(weights, scores, axes=1)
        if target.ndim == 1:
            return float(
                log_loss(target, blended / blended.sum(axis=1, keepdims=True), sample_weight=weight)
            )
        columns = [
            log_loss(target[:, c], blended[:, c], sample_weight=weight, labels=[0, 1])
            for c in range(target.shape[1])
        ]
        return float(np.mean(columns))

    return by_log if loss == "log_loss" else lambda w: -found.goal(np.tensordot(w, scores, axes=1))


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("classes", "log_loss"),
        ("labels", "log_loss"),
        ("classes", "squared_error"),
        ("labels", "squared_error"),
        ("grades", "squared_error"),
        ("numbers", "squared_error"),
    ],
)
def test_nobody_finds_better_weights(kind: str, loss: str, is_weighted: bool) -> None:
    weight = np.random.default_rng(9).random(60) if is_weighted else None
    found = case(kind, 3, num=6, weight=weight)
    scores = found.members.scores  # The last member is of no use.
    opposite = (1 - scores[0]) / (2 if kind == "classes" else 1)
    scores[5] = scores[0] + 3 if kind in ("grades", "numbers") else opposite
    blend = convex(found.members, found.goal, loss=loss)  # type: ignore[arg-type]
    loss_of = losses_of(found, loss, weight)
    expected, weights = by_slsqp(loss_of, 6)
    assert loss_of(np.array(blend.weights)) <= expected + 1e-9
    np.testing.assert_allclose(blend.weights, weights, atol=2e-3)
    assert min(blend.weights) >= 0
    assert 1 < np.count_nonzero(blend.weights) < 6


@pytest.mark.parametrize("seed", range(20))
def test_the_gap_is_a_bound_and_is_closed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.beta(2, 1 + rng.random(), (12, 300)) ** rng.uniform(0.2, 3, (12, 1))
    shares = rng.dirichlet(np.ones(300))
    optimum = least_log_loss(np.maximum(probs, 1e-15), shares)
    assert 0 <= optimum.gap <= TOLERANCE
    for other in rng.dirichlet(np.full(12, 0.3), 200):
        assert -shares @ np.log(other @ probs) >= optimum.loss - optimum.gap
    errors = rng.normal(0.3, 1, (12, 300)) * rng.uniform(0.5, 2, (12, 1))
    products = errors * shares @ errors.T
    optimum = least_squares(products)
    assert 0 <= optimum.gap <= TOLERANCE * np.trace(products) / 12
    for other in rng.dirichlet(np.full(12, 0.3), 200):
        assert other @ products @ other >= optimum.loss - optimum.gap


@pytest.mark.parametrize("seed", range(30))
def test_the_gap_is_closed_for_members_of_the_worst_kind(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_members, num_rows = int(rng.integers(1, 40)), int(rng.choice([1, 2, 5, 30, 300]))
    shape = num_members, num_rows
    copied = rng.beta(2, 1, (3, num_rows))[rng.integers(0, 3, num_members)]
    kinds = {
        "sure of all or nothing": rng.choice([0.0, 1.0], shape),
        "nearly so": rng.beta(0.05, 0.05, shape),
        "nearly copies": copied + 1e-9 * rng.normal(size=shape),
        "the same in all rows": np.broadcast_to(rng.random((num_members, 1)), shape),
    }
    shares = rng.dirichlet(np.ones(num_rows))
    shares[::3] *= seed % 2 if num_rows > 1 else 1
    shares /= shares.sum()
    for kind, probs in kinds.items():
        optimum = least_log_loss(np.clip(probs, 1e-15, 1), shares)
        assert optimum.is_within, kind
        assert optimum.weights.min() >= 0
        assert optimum.weights.sum() == pytest.approx(1)


def test_many_rows_start_from_a_part_of_them_and_reach_the_same() -> None:
    rng = np.random.default_rng(0)
    probs = rng.beta(2, 1, (5, 25_000))
    shares = np.full(25_000, 1 / 25_000)
    optimum = least_log_loss(probs, shares)
    assert optimum.is_within
    mix = optimum.weights @ probs
    slope = (probs / mix).mean(axis=1)
    assert slope.max() <= 1 + TOLERANCE
    np.testing.assert_allclose(slope[optimum.weights > 0], 1, atol=1e-6)


def test_a_perfect_member_takes_all_weight() -> None:
    target = np.arange(30) % 3
    perfect, other = np.eye(3)[target], np.full((30, 3), 1 / 3)
    members = Members(np.stack([other, perfect]))
    goal = Goal(target, lambda scores, _: 0.0)
    for loss in ("log_loss", "squared_error"):
        blend = convex(members, goal, loss=loss)  # type: ignore[arg-type]
        np.testing.assert_allclose(blend.weights, [0, 1], atol=1e-9)
    assert convex(Members(perfect[None]), goal, loss="squared_error").weights == (1.0,)


def test_a_certain_mistake_of_all_is_dear_but_finite() -> None:
    target = np.array([0, 0, 1])
    members = Members(np.array([[[1, 0], [0, 1], [0, 1]], [[0.5, 0.5], [0, 1], [0, 1]]], float))
    blend = convex(members, Goal(target, lambda scores, _: 0.0))
    np.testing.assert_allclose(blend.weights, [1, 0], atol=1e-9)
    assert "log loss 11.5" in blend.notes[0]  # A third of -log(1e-15).


def test_members_are_brought_to_sums_of_1_so_that_the_loss_is_convex() -> None:
    found = case("classes", 1)
    scale = np.random.default_rng(0).uniform(0.3, 1, (1, 60, 1))
    halved = Members(found.members.scores * scale)
    expected = convex(found.members, found.goal).weights
    np.testing.assert_allclose(convex(halved, found.goal).weights, expected, atol=1e-6)


def test_weights_are_those_of_corrected_members_where_class_shares_differ() -> None:
    found = case("classes", 1)
    factors = np.array([0.5, 1.0, 3.0])
    changed = found.members.scores * factors
    corrected = Members(changed / changed.sum(axis=2, keepdims=True))
    goal = replace(found.goal, factors=factors)
    for loss in ("log_loss", "squared_error"):
        blend = convex(found.members, goal, loss=loss)  # type: ignore[arg-type]
        expected = convex(corrected, found.goal, loss=loss)  # type: ignore[arg-type]
        np.testing.assert_allclose(blend.weights, expected.weights, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "metric", "first", "second"),
    [
        ("classes", "log_loss", "log loss", None),
        ("classes", "qwk", "log loss", "log loss stands in for qwk"),
        ("labels", "", "log loss", "log loss stands in for the metric"),
        ("numbers", "rmse", "squared error", None),
        ("grades", "mae", "squared error", "squared error stands in for mae"),
    ],
)
def test_notes_tell_the_gap_and_what_the_loss_stands_for(
    kind: str, metric: str, first: str, second: str | None
) -> None:
    found = case(kind, 0)
    notes = convex(found.members, replace(found.goal, metric=metric)).notes
    assert notes[0].startswith(first)
    assert "duality gap" in notes[0]
    assert "not the optimum" not in notes[0]
    assert notes[1:] == (() if second is None else (second,))


def test_log_loss_is_refused_where_there_are_no_probabilities() -> None:
    numbers = case("numbers", 0)
    with pytest.raises(ConfigError, match="convex needs probabilities of classes or labels"):
        convex(numbers.members, numbers.goal, loss="log_loss")
    found = case("classes", 0)
    with pytest.raises(ConfigError, match="convex needs probabilities, found scores from"):
        convex(Members(found.members.scores * 3), found.goal)


def test_a_row_without_any_probability_is_told_by_member_and_row() -> None:
    found = case("classes", 0)
    scores = found.members.scores.copy()
    scores[1, 4] = 0
    with pytest.raises(DataError, match=r"member 2 .* sum to 0 in row 5"):
        convex(Members(scores), found.goal)
