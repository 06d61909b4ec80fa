from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gmean, rankdata

from foldwise.blending import Goal, Members, votes
from foldwise.blending.averages import (
    comparable_members,
    geometric_mean,
    label_average,
    mean,
    rank_mean,
    weighted,
)
from foldwise.blending.scales import Ranks
from foldwise.errors import ConfigError, DataError

from .cases import case

NO_GOAL = Goal(np.zeros(0), lambda scores, _: 0.0)


def some_members(seed: int, num: int = 4, rows: int = 50, columns: int = 3) -> Members:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(columns), (num, rows))
    return Members(scores, np.stack([votes(s.argmax(axis=1), columns) for s in scores]))


def test_the_mean_is_the_mean() -> None:
    members = some_members(0)
    blend = mean(members, NO_GOAL, comparable=False)
    np.testing.assert_allclose(blend.apply(members), members.scores.mean(axis=0))


@pytest.mark.parametrize("decimals", [1, 12])
def test_ranks_are_those_of_scipy(decimals: int) -> None:
    members = Members(np.round(some_members(3).scores, decimals))
    blend = rank_mean(members, NO_GOAL, onto="ranks")
    ranks = (rankdata(members.scores, axis=1) - 0.5) / 50
    np.testing.assert_allclose(blend.apply(members), ranks.mean(axis=0), rtol=1e-12)


def test_unseen_scores_are_ranked_between_their_neighbours_and_never_beyond_the_ends() -> None:
    known = Members(np.array([[[1.0], [2.0], [2.0], [4.0]]]))
    blend = rank_mean(known, NO_GOAL, onto="ranks")
    unseen = Members(np.array([[[0.0], [1.0], [1.5], [2.0], [3.0], [9.0]]]))
    expected = [0.125, 0.125, 0.3125, 0.5, 0.6875, 0.875]
    np.testing.assert_allclose(blend.apply(unseen)[:, 0], expected)


def test_ranks_go_back_to_scores_in_the_same_order_and_on_the_members_scale() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    wide, narrow = 2 + truth + 0.3 * rng.normal(size=200), 2 + 0.1 * truth
    members = Members(np.stack([wide, narrow])[:, :, None])
    back = rank_mean(members, NO_GOAL).apply(members)[:, 0]
    ranks = rank_mean(members, NO_GOAL, onto="ranks").apply(members)[:, 0]
    np.testing.assert_array_equal(rankdata(back.round(12)), rankdata(ranks.round(12)))
    assert back.std() == pytest.approx((wide.std() + narrow.std()) / 2, rel=0.03)
    assert back.mean() == pytest.approx(2, abs=0.1)


def test_a_unit_change_of_one_member_does_not_change_the_mean_of_ranks() -> None:
    members = some_members(0)
    warped = Members(np.concatenate([members.scores[:1] ** 3 * 50, members.scores[1:]]))
    plain = rank_mean(members, NO_GOAL, onto="ranks")
    other = rank_mean(warped, NO_GOAL, onto="ranks")
    np.testing.assert_allclose(plain.apply(members), other.apply(warped), rtol=1e-12)


def test_fewer_knots_change_ranks_by_less_than_two_knots_even_with_a_heavy_value() -> None:
    rng = np.random.default_rng(0)
    scores = np.where(rng.random(5000) < 0.4, 0.5, rng.random(5000))
    members = Members(scores[None, :, None])
    thin = rank_mean(members, NO_GOAL, onto="ranks", max_knots=50)
    assert isinstance(thin.scale, Ranks)
    assert len(thin.scale.distributions[0][0].values) <= 52
    exact = (rankdata(scores) - 0.5) / 5000
    assert np.abs(thin.apply(members)[:, 0] - exact).max() < 2 / 50


def test_label_average_by_hand() -> None:
    grades = np.array([[0, 1, 2, 4], [1, 1, 4, 4], [1, 2, 4, 0], [4, 2, 1, 4]])
    members = Members(np.zeros((4, 4, 1)), np.stack([votes(g, 1) for g in grades]))
    blend = label_average(members, NO_GOAL, rounded=True)
    # Means 1.5, 1.5, 2.75, 3: halves go up.
    assert blend.apply(members)[:, 0].tolist() == [2, 2, 3, 3]
    plain = label_average(members, NO_GOAL)
    assert plain.apply(members)[:, 0].tolist() == [1.5, 1.5, 2.75, 3]


def test_votes_for_classes_become_shares() -> None:
    answers = np.array([[2, 0], [2, 1], [0, 1]])
    members = Members(np.zeros((3, 2, 3)), np.stack([votes(a, 3) for a in answers]))
    shares = label_average(members, NO_GOAL).apply(members)
    np.testing.assert_allclose(shares, [[1 / 3, 0, 2 / 3], [1 / 3, 2 / 3, 0]])
    several = np.array([[1, 0], [1, 1]])
    np.testing.assert_array_equal(votes(several, 2), several)


@pytest.mark.parametrize("num", range(2, 41, 2))
def test_halves_go_up_for_any_number_of_members(num: int) -> None:
    grades = np.tile([1.0, 2.0], num // 2)[:, None, None]
    members = Members(grades, grades)
    blend = label_average(members, NO_GOAL, rounded=True)
    assert blend.apply(members).item() == 2


def test_labels_cannot_be_averaged_without_votes() -> None:
    members = Members(np.zeros((2, 4, 1)))
    blend = label_average(members, NO_GOAL)
    with pytest.raises(DataError, match="decided answers"):
        blend.apply(members)


def test_classes_geometric_means_are_divided_by_their_sum() -> None:
    found = case("classes", 0)
    expected = gmean(found.members.scores, axis=0)
    expected /= expected.sum(axis=1, keepdims=True)
    blend = geometric_mean(found.members, found.goal)
    np.testing.assert_allclose(blend.apply(found.members), expected)


def test_a_labels_geometric_mean_is_set_against_that_of_its_opposite() -> None:
    found = case("labels", 0)
    on, off = gmean(found.members.scores, axis=0), gmean(1 - found.members.scores, axis=0)
    blend = geometric_mean(found.members, found.goal)
    np.testing.assert_allclose(blend.apply(found.members), on / (on + off))


def test_a_probability_of_0_pulls_hard_in_a_geometric_mean_but_is_no_veto() -> None:
    members = Members(np.array([[[0.0, 1.0]], [[0.5, 0.5]], [[0.5, 0.5]]]))
    blended = geometric_mean(members, Goal(np.array([0]), NO_GOAL.score)).apply(members)
    odds = 1e-15 ** (1 / 3)
    np.testing.assert_allclose(blended, [[odds / (1 + odds), 1 / (1 + odds)]])


@pytest.mark.parametrize("kind", ["grades", "numbers"])
def test_numbers_have_no_geometric_mean(kind: str) -> None:
    found = case(kind, 0)
    with pytest.raises(ConfigError, match=r"needs probabilities .* found grades or numbers"):
        geometric_mean(found.members, found.goal)


def test_scores_that_are_no_probabilities_have_no_geometric_mean() -> None:
    found = case("classes", 0)
    with pytest.raises(ConfigError, match="needs probabilities, found scores from"):
        geometric_mean(Members(found.members.scores - 0.5), found.goal)


def test_weights_below_0_leave_probabilities_probabilities() -> None:
    found = case("classes", 0, num=2)
    blend = weighted("greedy", (1.6, -0.6), found.members, found.goal)
    plain = np.clip(np.tensordot([1.6, -0.6], found.members.scores, axes=1), 0, 1)
    assert (plain == 0).any()
    blended = blend.apply(found.members)
    np.testing.assert_allclose(blended, plain / plain.sum(axis=1, keepdims=True))


def test_weights_below_0_leave_numbers_between_those_that_were_seen() -> None:
    found = case("numbers", 0, num=2)
    blend = weighted("greedy", (3.0, -2.0), found.members, found.goal)
    scores = found.members.scores
    blended = blend.apply(found.members)
    assert (blended.min(), blended.max()) == (scores.min(), scores.max())
    inner = (blended > scores.min()) & (blended < scores.max())
    np.testing.assert_allclose(blended[inner], (3 * scores[0] - 2 * scores[1])[inner])


def accuracy_on(target: np.ndarray) -> Goal:
    return Goal(target, lambda scores, _: float((scores.argmax(axis=1) == target).mean()))


def with_errors(target: np.ndarray, num_wrong: int, *, first: int = 0) -> np.ndarray:
    """One-hot scores of two classes, wrong on as many rows from `first` on."""
    answers = target.copy()
    answers[first : first + num_wrong] = 1 - answers[first : first + num_wrong]
    return np.eye(2)[answers]


def test_a_mean_of_comparable_members_leaves_out_who_is_far_behind() -> None:
    target = np.arange(10_000) % 2
    members = Members(
        np.stack([with_errors(target, 500), with_errors(target, 4000), with_errors(target, 900)])
    )
    score = accuracy_on(target)
    assert mean(members, score).weights == (0.5, 0.0, 0.5)
    every = mean(members, score, comparable=False)
    assert every.weights == pytest.approx((1 / 3,) * 3)


def test_who_is_comparable_does_not_hang_on_other_weaker_members() -> None:
    target = np.arange(10_000) % 2
    few = [with_errors(target, 500), with_errors(target, 900)]
    many = [*few, *(with_errors(target, 3000, first=n) for n in (0, 100, 200))]
    score = accuracy_on(target)
    for scores in (few, many):
        members = Members(np.stack(scores))
        assert comparable_members(members, score).tolist() == [0, 1]


def test_twice_the_errors_on_few_rows_may_be_chance() -> None:
    target = np.arange(100) % 2
    members = Members(np.stack([with_errors(target, 1), with_errors(target, 5)]))
    score = accuracy_on(target)
    assert comparable_members(members, score).tolist() == [0, 1]


def test_comparable_by_a_loss_is_measured_from_its_best_value() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(2000, 1))
    scores = np.stack([target + rng.normal(size=(2000, 1)) * s for s in (0.2, 0.3, 1.0)])
    members = Members(scores)

    goal = Goal(target, lambda values, _: -float(np.abs(values - target).mean()))
    assert comparable_members(members, goal).tolist() == [0, 1]
