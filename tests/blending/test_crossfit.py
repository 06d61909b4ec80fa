from __future__ import annotations

import numpy as np
import pytest

from foldwise.blending import Blend, Goal, Members
from foldwise.blending.averages import mean
from foldwise.blending.crossfit import cross_fitted, cross_fitted_best, fit_all
from foldwise.blending.selection import greedy
from foldwise.errors import RunError

TARGET = np.random.default_rng(0).normal(size=90)
FOLDS = np.random.default_rng(1).permutation(np.arange(90) % 3) + 4


def near(scores: np.ndarray, rows: np.ndarray | None) -> float:
    target = TARGET if rows is None else TARGET[rows]
    return -float(np.abs(scores[:, 0] - target).mean())


GOAL = Goal(TARGET, near)


def some_members(num: int = 4) -> Members:
    noise = np.random.default_rng(2).normal(size=(num, 90))
    return Members((TARGET + noise)[:, :, None])


def test_what_is_not_fitted_is_the_same_cross_fitted() -> None:
    members = some_members()
    scores, blends = cross_fitted(members, FOLDS, mean, GOAL)
    np.testing.assert_allclose(scores, members.scores.mean(axis=0), rtol=1e-12)
    assert list(blends) == [4, 5, 6]


def test_a_fold_is_blended_by_what_was_fitted_on_the_others() -> None:
    members = some_members()
    scores, blends = cross_fitted(members, FOLDS, greedy, GOAL)
    for fold in (4, 5, 6):
        others = fold != FOLDS
        target = TARGET[others]
        blend = greedy(
            members.take(others),
            Goal(target, lambda s, _, target=target: -float(np.abs(s[:, 0] - target).mean())),
        )
        assert blends[fold] == blend
        np.testing.assert_array_equal(scores[~others], blend.apply(members.take(~others)))


def test_nothing_of_a_fold_reaches_its_own_fit() -> None:
    seen: list[np.ndarray] = []

    def spy(members: Members, goal: Goal) -> Blend:
        seen.append(members.scores[0, :, 0])
        np.testing.assert_array_equal(goal.target, members.scores[0, :, 0])
        assert goal(members.scores[0]) == 0.0  # Scored on the rows it was given, no others.
        return mean(members, goal)

    cross_fitted(Members(TARGET[None, :, None]), FOLDS, spy, GOAL)
    for fold, rows in zip((4, 5, 6), seen, strict=True):
        np.testing.assert_array_equal(rows, TARGET[fold != FOLDS])


def test_a_target_spoilt_in_one_fold_changes_only_the_other_folds() -> None:
    members = some_members()
    scores, _ = cross_fitted(members, FOLDS, greedy, GOAL)
    spoilt = TARGET + np.where(FOLDS == 5, members.scores[3, :, 0] * 50, 0)

    def near_spoilt(scores: np.ndarray, rows: np.ndarray | None) -> float:
        return -float(np.abs(scores[:, 0] - (spoilt if rows is None else spoilt[rows])).mean())

    changed, _ = cross_fitted(members, FOLDS, greedy, Goal(spoilt, near_spoilt))
    np.testing.assert_array_equal(changed[FOLDS == 5], scores[FOLDS == 5])
    assert (changed[FOLDS != 5] != scores[FOLDS != 5]).any()


def test_the_best_member_is_chosen_on_the_other_folds() -> None:
    error = np.ones((2, 90))
    error[0, FOLDS == 4] = 0  # Member 0 is perfect in fold 4, member 1 is fair everywhere.
    error[1] = 0.6
    members = Members((TARGET + error)[:, :, None])
    scores, chosen = cross_fitted_best(members, FOLDS, GOAL)
    assert chosen == {4: 1, 5: 0, 6: 0}
    for fold, member in chosen.items():
        np.testing.assert_array_equal(scores[fold == FOLDS], members.scores[member][fold == FOLDS])


def test_one_fold_cannot_be_cross_fitted() -> None:
    with pytest.raises(RunError, match="at least 2 folds"):
        cross_fitted(some_members(), np.zeros(90, dtype=int), mean, GOAL)
    with pytest.raises(RunError, match="at least 2 folds"):
        cross_fitted_best(some_members(), np.zeros(90, dtype=int), GOAL)


def test_all_fits_hold_the_blend_of_all_rows_and_those_without_each_fold() -> None:
    members, calls = some_members(), []
    found = fit_all(members, FOLDS, greedy, GOAL, done=lambda: calls.append(1))
    assert len(calls) == 4
    assert found.blend == greedy(members, GOAL)
    np.testing.assert_array_equal(found.scores, found.blend.apply(members))
    crossed, without = cross_fitted(members, FOLDS, greedy, GOAL)
    np.testing.assert_array_equal(found.crossed, crossed)
    assert found.without == without
    assert not found.is_alike
    assert fit_all(members, FOLDS, mean, GOAL).is_alike


def test_with_one_fold_all_fits_are_the_one_on_all_rows() -> None:
    found = fit_all(some_members(), np.zeros(90, dtype=int), greedy, GOAL)
    assert found.without == {}
    assert found.is_alike
    np.testing.assert_array_equal(found.crossed, found.scores)
