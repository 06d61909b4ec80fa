from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import rankdata

from foldwise.blending import BLENDS, Blend, Goal, Members, votes
from foldwise.blending.methods import (
    comparable_members,
    label_average,
    mean,
    rank_mean,
)
from foldwise.blending.selection import greedy
from foldwise.errors import ConfigError, DataError
from foldwise.parts import bind

NO_GOAL = Goal(np.zeros(0), lambda scores, _: 0.0)


def some_members(seed: int, num: int = 4, rows: int = 50, columns: int = 3) -> Members:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(columns), (num, rows))
    return Members(scores, np.stack([votes(s.argmax(axis=1), columns) for s in scores]))


def log_goal(target: np.ndarray) -> Goal:
    rows = np.arange(len(target))
    return Goal(target, lambda scores, _: float(np.log(scores[rows, target] + 1e-9).mean()))


def fitted(name: str, members: Members, seed: int = 0) -> Blend:
    target = np.random.default_rng(seed).integers(0, 3, members.scores.shape[1])
    blend: Blend = bind(BLENDS, name, what="blend")(members, log_goal(target))
    return blend


@pytest.mark.parametrize("name", BLENDS)
def test_every_blend_names_itself_and_weighs_members_to_1(name: str) -> None:
    blend = fitted(name, some_members(0))
    assert blend.method == name
    assert len(blend.weights) == 4
    assert min(blend.weights) >= 0
    assert sum(blend.weights) == pytest.approx(1)


@pytest.mark.parametrize("name", BLENDS)
def test_every_blend_survives_json_and_applies_to_other_rows(name: str) -> None:
    blend, others = fitted(name, some_members(0)), some_members(1, rows=7)
    again = Blend.from_json(json.loads(json.dumps(blend.to_json(), allow_nan=False)))
    blended = blend.apply(others)
    assert blended.shape == (7, 3)
    np.testing.assert_array_equal(again.apply(others), blended)
    assert again.to_json() == blend.to_json()


@pytest.mark.parametrize("name", BLENDS)
def test_every_blend_treats_each_row_for_itself(name: str) -> None:
    blend, others = fitted(name, some_members(0)), some_members(1, rows=7)
    blended = blend.apply(others)
    for row in range(7):
        alone = blend.apply(others.take(np.array([row])))
        np.testing.assert_allclose(alone, blended[[row]], rtol=1e-12)


@pytest.mark.parametrize("name", BLENDS)
def test_every_blend_of_copies_of_one_member_is_that_member(name: str) -> None:
    one = some_members(0, num=1)
    assert one.votes is not None
    copies = Members(np.repeat(one.scores, 3, axis=0), np.repeat(one.votes, 3, axis=0))
    expected = one.votes[0] if name == "label_average" else one.scores[0]
    np.testing.assert_allclose(fitted(name, copies).apply(copies), expected, rtol=1e-12)


@pytest.mark.parametrize("name", BLENDS)
def test_no_blend_applies_to_other_members_than_it_was_fitted_to(name: str) -> None:
    with pytest.raises(DataError, match="blend of 4, found 3"):
        fitted(name, some_members(0)).apply(some_members(0).without(1))


def test_the_mean_is_the_mean() -> None:
    members = some_members(0)
    np.testing.assert_allclose(fitted("mean", members).apply(members), members.scores.mean(axis=0))


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
    assert len(thin.distributions[0][0].values) <= 52
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


def textbook_greedy(scores: np.ndarray, score: Goal, num_steps: int) -> np.ndarray:
    """Try all, keep the best, remember the best ensemble; nothing reused between steps."""
    chosen: list[int] = []
    best_chosen: list[int] = []
    best_score = -np.inf
    for _ in range(num_steps):
        tried = {m: score(np.mean(scores[[*chosen, m]], axis=0)) for m in range(len(scores))}
        winner = max(tried, key=lambda m: (tried[m], -m))
        chosen = [*chosen, winner]
        if tried[winner] > best_score:
            best_score, best_chosen = tried[winner], chosen
    return np.array([best_chosen.count(m) / len(best_chosen) for m in range(len(scores))])


@pytest.mark.parametrize("seed", range(8))
def test_greedy_picks_as_the_textbook_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, 80)
    logits = rng.normal(size=(6, 80, 3)) + (0.5 + 0.5 * rng.random((6, 1, 1))) * np.eye(3)[target]
    members = Members(np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True))
    score = log_goal(target)
    expected = textbook_greedy(members.scores, score, 12)
    blend = greedy(members, score, num_steps=12)
    np.testing.assert_allclose(blend.weights, expected, rtol=1e-12)
    assert np.count_nonzero(expected) > 1


def test_greedy_never_scores_below_its_best_member() -> None:
    members = some_members(5)
    target = np.random.default_rng(5).integers(0, 3, 50)
    score = log_goal(target)
    best = max(score(scores) for scores in members.scores)
    assert score(greedy(members, score).apply(members)) >= best


def test_greedy_takes_the_first_of_equals_and_the_smallest_of_equal_ensembles() -> None:
    members = Members(np.zeros((3, 4, 1)))
    assert greedy(members, Goal(np.zeros(4), lambda scores, _: 1.0)).weights == (1.0, 0.0, 0.0)


def test_greedy_leaves_out_a_member_that_only_harms() -> None:
    target = np.random.default_rng(0).integers(0, 3, 50)
    good = 0.8 * np.eye(3)[target] + 0.2 / 3
    members = Members(np.stack([1 - good, good]))
    assert greedy(members, log_goal(target)).weights == (0.0, 1.0)


@pytest.mark.parametrize(("name", "option"), [("greedy", "num_steps"), ("rank_mean", "max_knots")])
def test_a_number_that_is_too_small_is_refused_before_any_work(name: str, option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option}: .* greater than or equal to"):
        bind(BLENDS, {"name": name, option: 0}, what="blend method")


@pytest.mark.parametrize("value", [{}, {"format": 2}, {"format": 1, "method": "mean"}])
def test_files_that_hold_no_blend_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(DataError, match="blend"):
        Blend.from_json(value)


def test_leaving_out_and_taking_keep_votes_with_scores() -> None:
    members = some_members(0)
    assert members.votes is not None
    part = members.without(1).take(np.array([3, 5]))
    assert part.votes is not None
    np.testing.assert_array_equal(part.scores, members.scores[[0, 2, 3]][:, [3, 5]])
    np.testing.assert_array_equal(part.votes, members.votes[[0, 2, 3]][:, [3, 5]])
    assert fitted("label_average", members.without(0)).weights == (1 / 3,) * 3
    assert mean(members, NO_GOAL, comparable=False).takes == "scores"


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
