"""Equal recipes compared through real metrics, rows, groups and folds: nobody is crowned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise.choosing.paired import compare
from foldwise.stages.comparing import one_seed
from foldwise.stages.comparing.one_seed import repeats
from foldwise.stages.comparing.runs import Run
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem

from ..small_competition import make_problem

NUM_ROWS, NUM_SEEDS = 300, 3


@pytest.fixture
def num_draws(request: pytest.FixtureRequest) -> int:
    return 2000 if request.config.getoption("--full") else 200


def simulated(problem: Problem, rng: np.random.Generator) -> list[Run]:
    """Two runs of one recipe's law; rows are hard for both, for a recipe, and for a seed."""
    groups = problem.groups
    unit = np.arange(NUM_ROWS) if groups is None else np.unique(groups, return_inverse=True)[1]
    target, width = problem.one_hot, problem.one_hot.shape[1]

    def noise(scale: float) -> np.ndarray:
        own = rng.normal(size=(NUM_ROWS, width)) + rng.normal(size=(NUM_ROWS, width))[unit]
        return scale * own

    shared = noise(0.4)
    runs = []
    for name in "ab":
        of_recipe = noise(0.25)
        seeds = {}
        for seed in range(NUM_SEEDS):
            skill = rng.normal(1.0, 0.05, problem.folds.max() + 1)[problem.folds][:, None]
            scores = target + skill * (shared + of_recipe + noise(0.25))
            seeds[seed] = HeldOut(
                problem, name, np.arange(NUM_ROWS), scores, problem.default_decision()
            )
        runs.append(Run(seeds[0], "recipe", {}, seeds))
    return runs


@pytest.mark.parametrize("group_size", [0, 5], ids=["rows", "groups"])
@pytest.mark.parametrize(
    ("task", "metric"), [("multiclass", "accuracy"), ("ordinal", "qwk"), ("regression", "rmse")]
)
def test_equal_recipes_are_told_apart_in_about_5_of_100_draws_at_most(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    num_draws: int,
    task: str,
    metric: str,
    group_size: int,
) -> None:
    monkeypatch.setattr(one_seed, "RESAMPLES", 100)
    problem = make_problem(
        tmp_path, task, num_train=NUM_ROWS, thumbs=False, group_size=group_size, metric=metric
    )
    rng = np.random.default_rng(5)
    num_false = 0
    for _ in range(num_draws):
        (first, second), resampled = repeats(simulated(problem, rng), with_seeds=True)
        assert resampled is not None
        found = compare(
            first,
            second,
            higher_is_better=problem.metric.higher_is_better,
            num_units=resampled.num_units,
        )
        num_false += found.verdict != "undecided"
    print(f"{task}: {num_false} of {num_draws} told apart")
    # 5 % and, at the small count, two standard errors of it.
    assert num_false / num_draws <= (0.065 if num_draws >= 2000 else 0.08)
