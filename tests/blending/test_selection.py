from __future__ import annotations

import numpy as np
import pytest

from foldwise.blending import Answer, Goal, Members
from foldwise.blending.selection import greedy, hill_climbing
from foldwise.metrics import METRICS


def log_loss_goal(target: np.ndarray) -> Goal:
    metric = METRICS["log_loss"]
    return Goal(target, lambda scores, _: -metric(scores, target), metric="log_loss")


def accuracy_goal(target: np.ndarray) -> Goal:
    return Goal(
        target,
        lambda scores, _: float((scores.argmax(axis=1) == target).mean()),
        metric="accuracy",
        answer=Answer("argmax"),
    )


def rmse_goal(target: np.ndarray) -> Goal:
    metric = METRICS["rmse"]
    return Goal(
        target,
        lambda scores, _: -metric(scores[:, 0], target),
        metric="rmse",
        answer=Answer("value"),
    )


def some_members(seed: int, rows: int = 300) -> tuple[Members, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, rows)
    logits = rng.normal(size=(6, rows, 3)) + rng.random((6, 1, 1)) * 2 * np.eye(3)[target]
    return Members(np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)), target


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make_goal", [log_loss_goal, accuracy_goal])
@pytest.mark.parametrize("fit", [greedy, hill_climbing])
def test_a_search_scores_no_less_than_the_best_member(seed, make_goal, fit) -> None:
    members, target = some_members(seed)
    goal = make_goal(target)
    best = max(goal(scores) for scores in members.scores)
    blend = fit(members, goal)
    assert goal(blend.apply(members)) >= best
    assert sum(blend.weights) == pytest.approx(1)
    assert min(blend.weights) >= 0


def test_climbing_a_convex_loss_ends_near_its_lowest_point() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=2000)
    errors = rng.normal(size=(3, 2000)) * np.array([[1.0], [1.5], [2.0]])
    members = Members((target + errors)[:, :, None])
    blend = hill_climbing(members, rmse_goal(target), last_step=0.001)
    # Weights of independent errors: one over their variance.
    expected = np.array([1, 1 / 2.25, 1 / 4]) / (1 + 1 / 2.25 + 1 / 4)
    np.testing.assert_allclose(blend.weights, expected, atol=0.03)


def test_a_weight_below_0_takes_back_an_error_that_two_members_share() -> None:
    rng = np.random.default_rng(0)
    target, shared = rng.normal(size=(2, 2000))
    members = Members(np.stack([target + 0.5 * shared, target + 1.5 * shared])[:, :, None])
    goal = rmse_goal(target)
    kept = hill_climbing(members, goal)
    assert kept.weights == (1.0, 0.0)
    free = hill_climbing(members, goal, negative_weights=True, last_step=0.001)
    np.testing.assert_allclose(free.weights, (1.5, -0.5), atol=0.05)
    assert goal(free.apply(members)) > -0.1


def test_scores_that_weights_below_0_would_drive_off_their_scale_stay_on_it() -> None:
    members, target = some_members(1)
    goal = log_loss_goal(target)
    blend = hill_climbing(members, goal, negative_weights=True)
    assert min(blend.weights) < 0
    blended = blend.apply(members)
    assert blended.min() >= 0
    np.testing.assert_allclose(blended.sum(axis=1), 1)
    assert goal(blended) >= goal(hill_climbing(members, goal).apply(members))


@pytest.mark.parametrize("fit", [greedy, hill_climbing])
def test_members_that_all_say_the_same_give_the_first(fit) -> None:
    members, target = some_members(0)
    constant = Members(np.full_like(members.scores, 1 / 3))
    assert fit(constant, log_loss_goal(target)).weights == (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_the_first_step_is_as_long_as_told() -> None:
    members, target = some_members(0)
    blend = hill_climbing(members, log_loss_goal(target), first_step=0.25, num_steps=1)
    assert sorted(blend.weights)[-2:] == [0.25, 0.75]
