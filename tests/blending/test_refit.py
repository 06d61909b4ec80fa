from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from foldwise.blending import Blend, Goal, Members
from foldwise.blending.averages import mean
from foldwise.blending.refit import refit_intervals
from foldwise.blending.selection import greedy
from foldwise.errors import ConfigError

from .worth import Case, pool

GREEDY = partial(greedy, num_steps=5)


def test_without_anything_fitted_refitting_changes_little() -> None:
    members, target = pool(0, [1.5, 0.6], rows=300)
    case = Case(members, target, num=400)
    fit = partial(mean, comparable=False)
    found, plain = refit_intervals(members, case.folds, fit, case.goal, groups=None, num=400)
    fixed = case.report(fit).over_best
    assert found is not None
    assert found.low == pytest.approx(fixed.low, abs=0.01)
    assert found.high == pytest.approx(fixed.high, abs=0.01)
    assert found.covers == "300 rows resampled and blends refitted, 400 times"
    assert plain is not None
    assert plain.low == plain.high == 0


def test_each_resample_is_fitted_without_the_fold_it_scores() -> None:
    members, target = pool(1, [0.5, 0.5, 0.5], rows=60)
    folds = np.arange(60) % 3
    seen: list[tuple[np.ndarray, Goal]] = []

    def spy(part: Members, goal: Goal) -> Blend:
        assert goal.rows is not None
        np.testing.assert_array_equal(part.scores, members.scores[:, goal.rows])
        np.testing.assert_array_equal(goal.target, target[goal.rows])
        seen.append((goal.rows, goal))
        return mean(part, goal, comparable=False)

    goal = Case(members, target).goal
    refit_intervals(members, folds, spy, goal, groups=None, num=200)
    assert len(seen) == 600
    for number, (rows, _) in enumerate(seen):
        assert number % 3 not in folds[rows]
        assert len(np.unique(rows)) < len(rows)


def test_groups_are_drawn_whole() -> None:
    members, target = pool(2, [0.5, 0.5], rows=120)
    groups = np.arange(120) // 4
    folds = groups % 3
    rows: list[np.ndarray] = []

    def spy(part: Members, goal: Goal) -> Blend:
        assert goal.rows is not None
        rows.append(goal.rows)
        return mean(part, goal, comparable=False)

    found, _ = refit_intervals(
        members, folds, spy, Case(members, target).goal, groups=groups, num=200
    )
    for drawn in rows:
        counts = np.bincount(drawn, minlength=120).reshape(30, 4)
        assert (counts == counts[:, :1]).all()
    assert found is not None
    assert found.covers == "30 groups resampled and blends refitted, 200 times"


def test_few_groups_or_an_undefined_score_give_no_interval() -> None:
    members, target = pool(3, [0.5, 0.5], rows=60)
    goal = Case(members, target).goal
    folds = np.arange(60) % 3
    few = refit_intervals(members, folds, GREEDY, goal, groups=np.arange(60) % 19, num=200)
    assert few == (None, None)

    def undefined(scores: np.ndarray, rows: np.ndarray | None) -> float:
        raise ValueError("only one class")

    goal = Goal(target, undefined)
    assert refit_intervals(members, folds, GREEDY, goal, groups=None, num=200) == (None, None)


def test_what_fitting_adds_to_the_doubt_is_covered() -> None:
    wider = 0.0
    for seed in range(2):
        members, target = pool(seed, [0.6] * 6, rows=80)
        case = Case(members, target)
        found, _ = refit_intervals(members, case.folds, GREEDY, case.goal, groups=None, num=200)
        fixed = case.report(GREEDY).over_best
        assert found is not None
        assert fixed.low is not None
        assert fixed.high is not None
        wider += (found.high - found.low) / (fixed.high - fixed.low)
    assert wider / 2 > 1.05


@pytest.mark.parametrize("num", [-1, 1, 3, 199])
def test_too_few_resamples_for_an_interval_are_refused(num: int) -> None:
    members, target = pool(3, [0.5, 0.5], rows=60)
    goal = Case(members, target).goal
    with pytest.raises(ConfigError, match=f"refit: found {num} resamples, wanted 0 or at least"):
        refit_intervals(members, np.arange(60) % 3, GREEDY, goal, groups=None, num=num)
