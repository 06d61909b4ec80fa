"""What fits a time: the best score, thinned out last, in rounds that are whole, and no peeking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from foldwise.blending.blend import Blend
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round
from foldwise.stages.packing import planning
from foldwise.stages.packing.planning import (
    Costs,
    frontier,
    options_of,
    plan,
    rounds_of,
    searched,
)
from foldwise.stages.packing.subsets import Subset
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import make_problem

FOLDS = 3
MEAN = Blend("mean", (0.5, 0.5))
COSTS = Costs(5.0, first={"a": 10.0, "b": 20.0, "c": 100.0}, more={"a": 10.0, "b": 1.0, "c": 100.0})


@pytest.fixture(scope="module")
def problem(tmp_path_factory) -> Problem:
    return make_problem(tmp_path_factory.mktemp("planning"), num_folds=FOLDS)


def right(problem: Problem, rows: np.ndarray) -> HeldOut:
    """Scores whose answers are right on some of the rows."""
    scores = np.where(rows[:, None], problem.one_hot, np.roll(problem.one_hot, 1, axis=1))
    every = np.arange(len(problem.train))
    return HeldOut(problem, "made", every, scores.astype(float), problem.default_decision())


def leaf(name: str) -> Node:
    return Node(name, units=tuple(f"{name}/fold{fold}-seed0" for fold in range(FOLDS)))


def subsets(problem: Problem, accuracy: dict[str, float]):
    """Names → a subset; `accuracy` says for each what share of the rows is right."""

    def subset_of(names: Sequence[str]) -> Subset:
        key = "".join(sorted(names))
        draws = np.random.default_rng(sum(map(ord, key))).permutation(len(problem.train))
        held = right(problem, draws < accuracy[key] * len(draws))
        members = tuple(leaf(name) for name in sorted(names))
        node = (
            members[0]
            if len(members) == 1
            else Node(key, members=members, blend=Blend("mean", (1 / len(members),) * len(members)))
        )
        return Subset(tuple(sorted(names)), node, held)

    return subset_of


ACCURACY = {"a": 0.6, "b": 0.5, "c": 0.7, "ab": 0.65, "ac": 0.8, "bc": 0.75, "abc": 0.85}


def options(problem: Problem, accuracy: dict[str, float] = ACCURACY):
    found = searched("abc", subsets(problem, accuracy), COSTS, higher_is_better=True)
    return options_of(found, COSTS)


def test_of_many_members_the_ways_from_good_single_ones_to_all_are_looked_at(problem, monkeypatch):
    every = {subset.names for subset in (o.subset for o in options(problem))}
    assert len(every) == 7
    monkeypatch.setattr(planning, "_MOST_SUBSETS", 0)
    found = searched("abc", subsets(problem, ACCURACY), COSTS, higher_is_better=True)
    names = ["".join(subset.names) for subset in found]
    assert names[:3] == ["a", "b", "c"]
    assert {"ac", "ab", "abc"} <= set(names)
    assert len(names) == len(set(names))


def chosen(problem: Problem, limit_s: float):
    found = plan(options(problem), limit_s=limit_s, higher_is_better=True)
    assert found is not None
    return found.chosen


def test_a_runs_first_unit_and_its_others_have_their_own_cost():
    assert COSTS.of(["b/1", "b/2", "b/3"]) == 22
    assert COSTS.of(["b/1", "b/1"]) == 20
    assert COSTS.of(["b/2"], done=["b/1"]) == 1


@pytest.mark.parametrize(
    ("limit", "names", "share"),
    [
        (1000, "abc", 1.0),
        (350, "ac", 1.0),  # 5 + 30 + 300
        (320, "c", 1.0),
        (100, "ab", 1.0),  # 5 + 30 + 22
        (50, "a", 1.0),
        (30, "b", 1.0),
        (26, "a", 2 / 3),  # Nothing whole fits: the best that is thinned.
        (16, "a", 1 / 3),
    ],
)
def test_the_best_that_fits_is_chosen_and_units_are_thinned_last(problem, limit, names, share):
    found = chosen(problem, limit)
    assert "".join(found.subset.names) == names
    assert found.share == pytest.approx(share)
    assert found.seconds <= limit


def test_where_nothing_fits_nothing_is_planned(problem):
    assert plan(options(problem), limit_s=14, higher_is_better=True) is None


def test_none_of_the_frontier_is_beaten_in_both(problem):
    every = [option for option in options(problem) if not option.is_thinned]
    line = frontier(options(problem), 1.0)
    scores = [option.subset.score for option in line]
    assert scores == sorted(scores)
    assert [option.seconds for option in line] == sorted(option.seconds for option in line)
    for option in line:
        assert not any(
            other.seconds < option.seconds and other.subset.score >= option.subset.score
            for other in every
        )


def test_the_score_of_the_choice_is_of_options_chosen_without_the_fold(problem):
    folds = problem.folds
    luck = np.arange(len(folds)) % 10 < 9
    good, bad = (
        Subset((name,), leaf(name), right(problem, rows))
        for name, rows in (("a", luck), ("b", ~luck))
    )
    # All of it would take 57 s.
    both = Subset(("a", "b"), Node("ab", members=(leaf("a"), leaf("b")), blend=MEAN), good.held)
    found = plan(options_of([good, bad, both], COSTS), limit_s=50, higher_is_better=True)
    assert found is not None
    assert found.chosen.subset.names == ("a",)
    assert found.score == pytest.approx(good.score)  # It is chosen without every fold, too.
    only_first = right(problem, folds == 0)
    peeked = Subset(("b",), leaf("b"), only_first)
    poor = Subset(("a",), leaf("a"), right(problem, np.arange(len(folds)) % 10 < 3))
    found = plan(options_of([poor, peeked, both], COSTS), limit_s=50, higher_is_better=True)
    assert found is not None
    assert found.chosen.subset.names == ("b",)
    # b is chosen for its first fold alone: without that fold, a is.
    assert found.score < peeked.score


def test_rounds_have_one_unit_of_each_member_first_and_every_unit_once(problem):
    whole = options(problem)[-1]
    option = next(o for o in options(problem) if o.subset.names == ("a", "b", "c") and o.share == 1)
    found = rounds_of(option, COSTS, subsets(problem, ACCURACY), sign=1.0)
    assert whole is not None
    names = [unit for round_ in found for unit in round_.units]
    assert len(names) == len(set(names)) == 9
    assert [name[0] for name in names[:3]] == ["c", "a", "b"]
    assert [round_.node.name for round_ in found[:4]] == ["c", "ac", "abc", "abc"]
    assert sum(round_.seconds for round_ in found) + COSTS.start == pytest.approx(option.seconds)
    again = [Round.from_json(round_.to_json()) for round_ in found]
    assert [each.to_json() for each in again] == [each.to_json() for each in found]


def test_the_first_round_is_one_that_a_slow_machine_can_do(problem):
    option = next(o for o in options(problem) if o.subset.names == ("a", "b", "c") and o.share == 1)

    def first(first_s: float) -> str:
        some = subsets(problem, ACCURACY)
        return rounds_of(option, COSTS, some, sign=1.0, first_s=first_s)[0].node.name

    assert first(105) == "c"  # The best alone, after 5 + 100 s.
    assert first(104) == "a"  # The best of those that are soon enough.
    assert first(20) == "a"
    assert first(1) == "a"  # None is: the soonest.


def test_a_run_and_its_reference_share_their_units(problem):
    shared = Node(
        "both",
        members=(leaf("a"), Node("a/reference", units=leaf("a").units)),
        blend=Blend("mean", (0.5, 0.5)),
    )
    assert shared.every_unit == leaf("a").units
    assert [len(turn) for turn in shared.turns()] == [1, 1, 1]


def test_units_are_thinned_evenly_over_their_order():
    node = Node("a", units=tuple(f"a/fold{fold}-seed0" for fold in range(5)))
    assert [turn[0][-7] for turn in node.turns(0.6)] == ["0", "2", "4"]
    assert len(node.turns(0.01)) == 1
