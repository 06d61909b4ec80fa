"""What several seeds tell of a mean over models, and what a plan makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.blending.blend import Blend
from foldwise.predictions import Predictions
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.units import unit_dir
from foldwise.stages.packing.averaging import averaging
from foldwise.stages.packing.planning import Costs, options_of, plan
from foldwise.stages.packing.subsets import Subset
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import make_problem

FOLDS, SEEDS = 3, 3


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    found = make_problem(tmp_path_factory.mktemp("averaging"), num_folds=FOLDS, num_train=240)
    for run, noise in (("a", 1.2), ("b", 0.0)):
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            drawn = found.one_hot + noise * rng.normal(size=found.one_hot.shape)
            for fold in range(FOLDS):
                rows = np.flatnonzero(found.folds == fold)
                path = unit_dir(found.home, f"{run}/fold{fold}-seed{seed}").valid
                path.parent.mkdir(parents=True)
                ids = found.train.ids[rows]
                predictions_file.write(path, Predictions(ids, drawn[rows], found.columns))
    return found


def leaf(run: str, num_seeds: int = SEEDS) -> Node:
    units = [f"{run}/fold{f}-seed{s}" for s in range(num_seeds) for f in range(FOLDS)]
    return Node(run, units=tuple(units))


def held(problem: Problem, seeds: range) -> HeldOut:
    """Out-of-fold rows of run a, the mean over seeds."""
    draws = [np.random.default_rng(s).normal(size=problem.one_hot.shape) for s in seeds]
    scores = problem.one_hot + 1.2 * np.mean(draws, axis=0)
    return HeldOut(problem, "a", np.arange(len(scores)), scores, problem.default_decision())


def test_the_gain_is_that_of_all_seeds_over_single_ones(problem: Problem) -> None:
    found = averaging(leaf("a"), held(problem, range(SEEDS)))
    assert found is not None
    single = [held(problem, range(s, s + 1)).score(problem.metric) for s in range(SEEDS)]
    whole = held(problem, range(SEEDS)).score(problem.metric)
    assert found.num_seeds == SEEDS
    assert found.gain == pytest.approx(whole - np.mean(single))
    assert found.gain > 0.05
    # One seed again, and as many as were scored.
    assert found.beyond(1) == pytest.approx(-found.gain)
    assert found.beyond(SEEDS) == 0


def test_seeds_that_agree_gain_nothing_and_too_few_tell_nothing(problem: Problem) -> None:
    agreeing = averaging(leaf("b"), held(problem, range(SEEDS)))
    assert agreeing is not None
    assert agreeing.gain == 0
    assert averaging(leaf("a", num_seeds=1), held(problem, range(1))) is None
    refitted = Node("a", units=("a/all-seed0", "a/all-seed1"))
    assert averaging(refitted, held(problem, range(SEEDS))) is None
    both = Node("ab", members=(leaf("a"), leaf("b", num_seeds=1)), blend=Blend("mean", (0.5, 0.5)))
    assert averaging(both, held(problem, range(SEEDS))) is None


def test_where_it_is_known_a_thinned_out_run_may_beat_a_whole_one(problem: Problem) -> None:
    costs = Costs(0.0, first={"a": 10.0, "b": 10.0}, more={"a": 10.0, "b": 10.0})
    good = Subset(("a",), leaf("a"), held(problem, range(SEEDS)))
    poor_rows = held(problem, range(1)).with_scores(np.roll(problem.one_hot, 1, axis=1) * 1.0)
    poor = Subset(("b",), Node("b", units=leaf("b").units[:6]), poor_rows)
    options = options_of([good, poor], costs)
    found = plan(options, limit_s=70, higher_is_better=True)
    assert found is not None
    assert found.chosen.subset.names == ("a",)
    assert found.chosen.is_thinned
    assert found.chosen.num_models == 7
