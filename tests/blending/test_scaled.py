from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise.blending import Answer, Goal, Members
from foldwise.blending.lines import Line
from foldwise.blending.scaled import scaled_average
from foldwise.blending.scales import Lines

from .cases import case

GRADES = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 3])
GOAL = Goal(GRADES, lambda scores, _: 0.0)


def alone(scores: np.ndarray, goal: Goal = GOAL) -> np.ndarray:
    members = Members(scores[None, :, None].astype(float))
    return scaled_average(members, goal).apply(members)[:, 0]


def test_a_members_own_cuts_go_to_halves_and_its_ends_to_the_outer_grades() -> None:
    scores = np.array([10, 12, 14, 16, 20, 22, 30, 31, 32, 40])
    # Cuts by the target's shares 4, 2, 3, 1: 18, 26, 36.
    expected = np.interp(scores, [10, 18, 26, 36, 40], [0, 0.5, 1.5, 2.5, 3])
    np.testing.assert_allclose(alone(scores), expected)
    assert np.floor(alone(scores) + 0.5).tolist() == GRADES.tolist()


def test_any_rising_change_of_a_member_leaves_its_grades_alone() -> None:
    rng = np.random.default_rng(0)
    target = np.sort(rng.integers(0, 4, 400))
    scores = rng.normal(size=(3, 400)) + target
    goal = Goal(target, lambda scores, _: 0.0)
    plain = [np.floor(alone(s, goal) + 0.5) for s in scores]
    warped = [np.floor(alone(np.exp(s), goal) + 0.5) for s in scores]
    np.testing.assert_array_equal(plain, warped)
    for grades in plain:
        np.testing.assert_array_equal(np.bincount(grades.astype(int)), np.bincount(target))


def test_row_weights_move_the_cuts() -> None:
    scores = np.arange(10.0)
    doubled = np.where(GRADES == 3, 2.0, 1.0)
    twice = np.concatenate([np.arange(10), [9]])
    weighted = alone(scores, replace(GOAL, weight=doubled))
    repeated = alone(scores[twice], GOAL.take(twice))[:10]
    np.testing.assert_allclose(weighted, repeated)


def test_the_goals_cuts_tell_how_many_grades_there_are() -> None:
    five = replace(GOAL, answer=Answer("cuts", (0.5, 1.5, 2.5, 3.5)))
    assert alone(np.arange(10.0)).max() == 3
    assert alone(np.arange(10.0), five).max() > 3


def test_a_member_with_one_score_is_in_the_middle_everywhere() -> None:
    np.testing.assert_allclose(alone(np.full(10, 7.0)), 1.5)


def test_columns_are_brought_to_the_members_mean_and_spread() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(200, 2))
    scores = np.stack([3 * target + 5, target - 1, 0.5 * target[::-1]])
    members = Members(scores)
    blend = scaled_average(members, Goal(target, lambda scores, _: 0.0))
    brought = blend.scale.of(members)
    for column in range(2):
        mean, spread = scores[..., column].mean(), scores[..., column].std(axis=1).mean()
        np.testing.assert_allclose(brought[..., column].mean(axis=1), mean)
        np.testing.assert_allclose(brought[..., column].std(axis=1), spread)
    np.testing.assert_allclose(brought[0], brought[1])


@pytest.mark.parametrize("kind", ["classes", "labels"])
def test_probabilities_stay_probabilities(kind: str) -> None:
    found = case(kind, 0)
    sharp = np.concatenate([found.members.scores[:1] ** 8, found.members.scores[1:]])
    if kind == "classes":
        sharp /= sharp.sum(axis=2, keepdims=True)
    members = Members(sharp)
    blended = scaled_average(members, found.goal).apply(members)
    assert 0 <= blended.min() <= blended.max() <= 1
    if kind == "classes":
        np.testing.assert_allclose(blended.sum(axis=1), 1)


def test_lines_go_on_beyond_their_ends_only_if_they_are_open() -> None:
    scores = np.array([-1.0, 0.0, 1.0, 3.0, 5.0])
    assert Line((0, 2, 3), (0, 4, 5)).of(scores).tolist() == [0, 0, 2, 5, 5]
    assert Line((0, 2, 3), (0, 4, 5), is_open=True).of(scores).tolist() == [-2, 0, 2, 5, 7]
    assert Line.through(np.array([1.0, 1, 2]), np.array([0.0, 1, 4])) == Line((1, 2), (0.5, 4))
    lines = scaled_average(Members(np.arange(10.0)[None, :, None]), GOAL).scale
    assert isinstance(lines, Lines)
