"""A blend as a member of another: what it has seen of a fold must not reach that fold's score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend
from foldwise.tasks.problem import Problem

from ..small_competition import QUIET, make_problem, write_run, write_scores

GREEDY = {"name": "greedy", "num_steps": 10}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def make_runs(problem: Problem) -> None:
    """Three runs of numbers, each bad in another fold."""
    rng = np.random.default_rng(0)
    truth = problem.one_hot
    for bad, name in enumerate("abc"):
        noise = np.where(problem.folds[:, None] == bad, 9, 2) * rng.normal(size=truth.shape)
        oof = truth + noise
        write_scores(
            problem,
            RunDir(problem.home.runs / name),
            problem.train.ids,
            oof,
            problem.folds,
            oof[:30],
        )


def blends_of_blends(problem: Problem) -> RunDir:
    for name, method, members in (
        ("inner", GREEDY, ["a", "b"]),
        ("outer", GREEDY, ["inner", "c"]),
    ):
        blend(problem.home, name, method=method, members=members, problem=problem, display=QUIET)
    return problem.home.run("outer")


def test_nothing_of_a_folds_targets_reaches_its_rows_through_a_blend_of_blends(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    make_runs(problem)
    inside = problem.folds == 1
    before = predictions_file.read(blends_of_blends(problem).oof).scores[inside]
    weights = read_json(problem.home.run("inner").record)["gain"]["weights_per_fold"]
    assert weights["0"] != weights["1"]
    problem.target[inside] = problem.target[inside][::-1] + 3
    for name in ("inner", "outer"):
        problem.home.run(name).record.unlink()
    after = predictions_file.read(blends_of_blends(problem).oof).scores[inside]
    changed = read_json(problem.home.run("inner").record)["gain"]["weights_per_fold"]
    assert changed["0"] != weights["0"]
    np.testing.assert_array_equal(after, before)


def test_a_mean_with_a_fitted_blend_among_its_members_keeps_scores_apart_by_fold(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    make_runs(problem)
    blends_of_blends(problem)
    plain = {"name": "mean", "comparable": False}
    members = ["inner", "c"]
    blend(problem.home, "mean", method=plain, members=members, problem=problem, display=QUIET)
    kept = predictions_file.read(problem.home.run("mean").without(2))
    parts = [predictions_file.read(problem.home.run("inner").without(2))]
    parts += [predictions_file.read(problem.home.run("c").oof)]
    scores = [part.align(kept.ids, name="part").scores for part in parts]
    np.testing.assert_allclose(kept.scores, np.mean(scores, axis=0))


def test_votes_behind_a_prior_shift_are_not_shifted_again(tmp_path: Path) -> None:
    prior = {"ape": 0.5, "bear": 0.25, "cow": 0.25}
    problem = make_problem(tmp_path, thumbs=False, test_prior=prior)
    for seed, name in enumerate("abc"):
        write_run(problem, name, noise=0.6, seed=seed)
    blend(
        problem.home, "votes", method="voting", members=["a", "b"], problem=problem, display=QUIET
    )
    with pytest.raises(RunError, match="votes: prior_shift is in its votes already"):
        blend(problem.home, "mix", members=["votes", "c"], problem=problem, display=QUIET)
    blend(
        problem.home,
        "more",
        method="voting",
        members=["votes", "c"],
        problem=problem,
        display=QUIET,
    )
