from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise.blending import Answer, Goal, Members, votes
from foldwise.blending.voting import group_voting, voting
from foldwise.errors import DataError


def goal_for(target: np.ndarray, answer: Answer | None = None) -> Goal:
    return Goal(target, lambda scores, _: 0.0, answer=answer)


def test_the_class_of_most_wins_and_ties_go_to_the_higher_mean_score_then_the_first() -> None:
    answers = np.array([[0, 0, 0, 2], [0, 1, 1, 1], [1, 1, 2, 0]])  # Member by row.
    scores = np.full((3, 4, 3), 1 / 3)
    scores[:, 2] = [[0.5, 0.1, 0.4], [0.1, 0.5, 0.4], [0.2, 0.1, 0.7]]  # Means 0.27, 0.23, 0.5.
    members = Members(scores, np.stack([votes(a, 3) for a in answers]))
    blended = voting(members, goal_for(np.zeros(4, dtype=int))).apply(members)
    assert blended.argmax(axis=1).tolist() == [0, 1, 2, 0]
    np.testing.assert_array_equal(blended.sum(axis=1), 1)
    assert set(np.unique(blended)) == {0, 1}


def test_a_label_is_on_if_most_say_so_and_ties_go_by_its_threshold() -> None:
    answers = np.array([[[1, 1, 0]], [[1, 0, 1]], [[0, 1, 0]], [[0, 0, 1]]], dtype=float)
    answers[0, 0, 1] = answers[2, 0, 1] = 1
    scores = np.full((4, 1, 3), 0.4)
    members = Members(scores, answers)  # Ties in all three columns.
    target = np.zeros((1, 3), dtype=int)
    assert voting(members, goal_for(target)).apply(members).tolist() == [[0, 0, 0]]
    own = goal_for(target, Answer("thresholds", (0.4, 0.5, 0.3)))
    assert voting(members, own).apply(members).tolist() == [[1, 0, 1]]
    shared = goal_for(target, Answer("thresholds", (0.3,)))
    assert voting(members, shared).apply(members).tolist() == [[1, 1, 1]]
    most = Members(scores[:3], answers[[0, 1, 2]])
    assert voting(most, goal_for(target)).apply(most).tolist() == [[1, 1, 0]]


def test_the_grade_of_most_wins_and_ties_go_to_the_one_nearest_to_the_mean_score() -> None:
    grades = np.array([[0, 1, 0, 1], [0, 3, 4, 2], [2, 3, 2, 3], [4, 1, 1, 3]])
    scores = grades + np.array([0, 0.4, 0, 0])
    members = Members(scores[:, :, None], np.stack([votes(g, 1) for g in grades]))
    blended = voting(members, goal_for(np.zeros(4, dtype=int))).apply(members)
    # Row 2: 1 and 3 twice, mean 2.4. Row 3: all once, mean 1.75. Row 4: 3 has most.
    assert blended[:, 0].tolist() == [0, 3, 2, 3]
    level = Members(grades[:, [1], None].astype(float), members.votes[:, [1]])  # type: ignore[index]
    assert voting(level, goal_for(np.zeros(1, dtype=int))).apply(level).item() == 1


def test_families_vote_first_so_that_many_alike_have_one_vote() -> None:
    answers = np.array([[0], [0], [0], [1], [1]])
    scores = np.full((5, 1, 2), 0.5)
    members = Members(scores, np.stack([votes(a, 2) for a in answers]))
    goal = goal_for(np.zeros(1, dtype=int))
    grouped = replace(members, families=("a", "a", "a", "b", "c"))
    assert voting(grouped, goal).apply(grouped).argmax() == 0
    blend = group_voting(grouped, goal)
    assert blend.apply(grouped).argmax() == 1
    np.testing.assert_allclose(blend.weights, [1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 3])
    alone = group_voting(members, goal)
    np.testing.assert_array_equal(alone.apply(members), voting(members, goal).apply(members))
    assert alone.weights == (0.2,) * 5


def test_a_tie_of_families_goes_by_the_mean_of_their_mean_scores() -> None:
    scores = np.array([[[0.9, 0.1]], [[0.9, 0.1]], [[0.2, 0.8]]])
    members = Members(
        scores, np.stack([votes(s.argmax(axis=1), 2) for s in scores]), ("a", "a", "b")
    )
    # Means of members 0.67 and 0.33, of families 0.55 and 0.45.
    blend = group_voting(members, goal_for(np.zeros(1, dtype=int)))
    assert blend.apply(members).argmax() == 0
    close = replace(members, scores=scores * [[[1.0, 1.0]], [[1.0, 1.0]], [[0.1, 1.5]]])
    # Families 0.9 and 0.1 against 0.02 and 1.2: the other wins, though by members it would not.
    assert close.scores.mean(axis=0).argmax() == 0
    assert blend.apply(close).argmax() == 1


@pytest.mark.parametrize("method", [voting, group_voting])
def test_without_answers_there_is_no_vote(method: object) -> None:
    assert callable(method)
    with pytest.raises(DataError, match="decided answers"):
        method(Members(np.zeros((2, 4, 1))), goal_for(np.zeros(4)))
