from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from foldwise.blending import BLENDS, Blend, Goal, Members
from foldwise.blending.averages import mean
from foldwise.blending.contributions import IDLE_IS_ABSENT, Contribution, contributions
from foldwise.blending.crossfit import fit_all
from foldwise.blending.methods import Fit
from foldwise.blending.selection import greedy

from .worth import Case, pool, uncounted

GREEDY = partial(greedy, num_steps=6)


def contributions_of(case: Case, fit: Fit) -> list[Contribution]:
    return contributions(
        case.members,
        case.folds,
        fitted=case.fitted(fit),
        fit=fit,
        goal=case.goal,
        paired=case.paired,
        counting=uncounted,
    )


@pytest.mark.parametrize("fit", [GREEDY, partial(mean, comparable=False)])
def test_a_member_is_worth_what_is_lost_when_all_is_fitted_again_without_it(fit: Fit) -> None:
    case = Case(*pool(0, [0.9, 0.7, 0.0, 0.0], rows=200))
    base = case.fitted(fit)
    for member, found in enumerate(contributions_of(case, fit)):
        again = fit_all(case.members.without(member), case.folds, fit, case.goal)
        lost = case.goal(base.scores) - case.goal(again.scores)
        assert found.lost_without == pytest.approx(lost)
        assert found.added == pytest.approx(case.goal(base.crossed) - case.goal(again.crossed))
        assert found.num_rows == 200
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.added <= found.high


def test_a_helper_adds_and_a_harmful_member_takes_away() -> None:
    case = Case(*pool(1, [0.9, 0.9, -2.0], rows=600))
    first, second, harmful = contributions_of(case, partial(mean, comparable=False))
    assert min(first.low or 0.0, second.low or 0.0) > 0
    assert (harmful.high or 0.0) < 0
    assert harmful.lost_without < 0


def test_members_that_greedy_never_takes_are_not_refitted_and_worth_nothing() -> None:
    case = Case(*pool(2, [1.5, 0.9, *[-1.0] * 6], rows=300))
    fits = 0

    def counted(members: Members, goal: Goal) -> Blend:
        nonlocal fits
        fits += 1
        return GREEDY(members, goal)

    fitted = fit_all(case.members, case.folds, counted, case.goal)
    in_use = [sum(w > 0 for w in b.weights) for b in (fitted.blend, *fitted.without.values())]
    fits = 0
    found = contributions(
        case.members, case.folds, fitted=fitted, fit=counted, goal=case.goal,
        paired=case.paired, counting=uncounted,
    )  # fmt: skip
    assert fits == sum(in_use) < 16
    assert found[2:] == [Contribution(0.0, 0.0, 0.0, 0.0, 300)] * 6


@pytest.mark.parametrize("name", sorted(IDLE_IS_ABSENT & BLENDS.keys()))
def test_without_an_idle_member_the_blend_is_the_same(name: str) -> None:
    num_idle = 0
    for seed in range(60):
        skills = [0.9, 0.7, 0.2, -1.0, -2.0] if seed % 2 else [0.9, 0.8, 0.7, 0.6, 0.6, 0.5]
        case = Case(*pool(seed, skills, rows=80))
        blend = BLENDS[name](case.members, case.goal)
        for member in set(np.flatnonzero(np.array(blend.weights) == 0)) - set(blend.steered):
            again = BLENDS[name](case.members.without(member), case.goal)
            kept = np.delete(blend.weights, member)
            np.testing.assert_allclose(again.weights, kept, atol=1e-6)
            num_idle += 1
    assert num_idle > 5


def test_long_tables_are_thinned_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(*pool(3, [0.9, 0.7, 0.0], rows=8000))
    whole = contributions_of(case, GREEDY)
    monkeypatch.setattr("foldwise.blending.contributions._MOST_READ", 8000 * 6)
    thin = contributions_of(case, GREEDY)
    assert [part.num_rows for part in whole] == [8000] * 3
    assert [part.num_rows for part in thin] == [2000] * 3
    for one, other in zip(whole, thin, strict=True):
        assert one.lost_without == pytest.approx(other.lost_without, abs=0.03)


def test_a_share_of_the_rows_without_a_class_gives_way_to_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("foldwise.blending.contributions._MOST_READ", 1)
    case = Case(*pool(4, [0.9, 0.7], rows=3000))
    goal = case.goal

    def picky(scores: np.ndarray, rows: np.ndarray | None) -> float:
        if len(scores) < 2200:
            raise ValueError("a class is absent")
        return goal.score(scores, rows)

    options: dict[str, Any] = {"fit": GREEDY, "paired": case.paired, "counting": uncounted}
    strict = Goal(case.target, picky)
    fitted = case.fitted(GREEDY)
    found = contributions(case.members, case.folds, fitted=fitted, goal=strict, **options)
    assert [part.num_rows for part in found] == [3000, 3000]


def test_one_fold_has_a_naive_loss_alone_and_one_member_none() -> None:
    members, target = pool(5, [0.9, 0.7])
    found = contributions_of(Case(members, target, num_folds=1), GREEDY)
    assert all(part.added is part.low is part.high is None for part in found)
    assert max(part.lost_without for part in found) > 0
    assert contributions_of(Case(*pool(5, [0.9])), GREEDY) == []
