from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise.blending import Goal, Members
from foldwise.blending.convex import convex
from foldwise.blending.mixes import ColumnMean
from foldwise.blending.per_class import per_class
from foldwise.errors import ConfigError

from .cases import case


def weights_of(members: Members, goal: Goal, **options: str) -> np.ndarray:
    blend = per_class(members, goal, **options)  # type: ignore[arg-type]
    assert isinstance(blend.mix, ColumnMean)
    found = np.array(blend.mix.columns)
    np.testing.assert_allclose(found.sum(axis=0), 1)
    np.testing.assert_allclose(blend.weights, found.mean(axis=1))
    return found


def good_at_one_column_each() -> tuple[Members, np.ndarray]:
    """Member m knows label m and guesses at the others."""
    rng = np.random.default_rng(0)
    target = (rng.random((400, 3)) < 0.5).astype(np.int64)
    scores = rng.uniform(0.3, 0.7, (3, 400, 3))
    for member in range(3):
        scores[member, :, member] = 0.15 + 0.7 * target[:, member]
    return Members(scores), target


@pytest.mark.parametrize("search", ["convex", "greedy"])
def test_each_label_is_left_to_who_knows_it(search: str) -> None:
    members, target = good_at_one_column_each()
    goal = Goal(target, lambda scores, _: -float(np.abs(scores - target).mean()))
    weights = weights_of(members, goal, search=search)
    np.testing.assert_allclose(weights, np.eye(3), atol=1e-6)
    blended = per_class(members, goal, search=search).apply(members)  # type: ignore[arg-type]
    assert ((blended > 0.5) == target).all()


def test_a_labels_weights_are_the_best_for_its_log_loss() -> None:
    found = case("labels", 0)
    weights = weights_of(found.members, found.goal)
    for column in range(3):
        own = Goal(found.goal.target[:, [column]], found.goal.score)
        expected = convex(found.members.column(column), own).weights
        np.testing.assert_allclose(weights[:, column], expected)


def test_several_numbers_have_weights_of_their_own_by_squared_error() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(200, 2))
    scores = target + rng.normal(size=(3, 200, 2)) * np.array([[[1, 9]], [[1, 1]], [[9, 1]]])
    goal = Goal(target, lambda scores, _: 0.0)
    weights = weights_of(Members(scores), goal)
    assert weights[0, 0] > 0.3 > 0.1 > weights[2, 0]
    assert weights[2, 1] > 0.3 > 0.1 > weights[0, 1]


@pytest.mark.parametrize("search", ["convex", "greedy"])
def test_rows_of_classes_sum_to_1_even_where_all_columns_are_0(search: str) -> None:
    found = case("classes", 0)
    blend = per_class(found.members, found.goal, search=search)  # type: ignore[arg-type]
    np.testing.assert_allclose(blend.apply(found.members).sum(axis=1), 1)
    nothing = Members(np.zeros((4, 2, 3)))
    np.testing.assert_allclose(blend.apply(nothing), 1 / 3)


def test_greedy_reaches_at_least_the_plain_means_score() -> None:
    found = case("classes", 2)
    blend = per_class(found.members, found.goal, search="greedy")
    means = found.members.scores.mean(axis=0)
    assert found.goal(blend.apply(found.members)) > found.goal(means)


def test_classes_weights_are_those_of_corrected_members_where_class_shares_differ() -> None:
    found = case("classes", 1)
    factors = np.array([0.5, 1.0, 3.0])
    changed = found.members.scores * factors
    corrected = Members(changed / changed.sum(axis=2, keepdims=True))
    weights = weights_of(found.members, replace(found.goal, factors=factors))
    np.testing.assert_allclose(weights, weights_of(corrected, found.goal))


def test_a_single_column_has_no_weights_of_its_own() -> None:
    found = case("grades", 0)
    with pytest.raises(ConfigError, match="per_class needs several columns, found 1"):
        per_class(found.members, found.goal)
