"""Blends of maps: the mean of members as a run like any other, and what it is worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import ConfigError, RunError
from foldwise.json_files import read_json
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.scoring.deciding import read_decided
from foldwise.tasks.problem import Problem
from tests.stages.scoring.mask_competition import make_masks, write_maps_run
from tests.stages.small_competition import QUIET


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    made = make_masks(tmp_path / "home")
    for seed, name in enumerate("abc"):
        write_maps_run(made, name, noise=45.0, seed=seed)
        evaluate(made.home, name, problem=made, display=QUIET)
    return made


def test_a_blend_is_the_mean_of_its_members(problem: Problem) -> None:
    record = blend(problem.home, "m", members=["a", "b", "c"], problem=problem, display=QUIET)
    assert record["blend"]["takes"] == "maps"
    for place in ("oof", "test"):
        parts = [
            predictions_file.read(getattr(problem.home.run(name), place)).scores for name in "abc"
        ]
        found = predictions_file.read(getattr(problem.home.run("m"), place))
        assert found.kind == "map"
        for row in (0, 3, len(found) - 1):
            exact = np.mean([part.read(row) for part in parts], axis=0)
            assert np.abs(found.scores.read(row) - exact).max() <= 0.5 + 1e-4


def test_a_blend_is_scored_against_its_best_member(problem: Problem) -> None:
    blend(problem.home, "m", members=["a", "b", "c"], problem=problem, display=QUIET)
    scores = read_json(problem.home.run("m").scores)
    singles = [read_json(problem.home.run(name).scores)["score"] for name in "abc"]
    assert scores["score"] > max(singles)
    best = {each["name"]: each for each in scores["references"]}["best_member"]
    assert best["gain"]["point"] == pytest.approx(scores["score"] - best["score"])
    assert best["score"] <= max(singles) + 1e-9


def test_gains_are_those_of_the_fixed_decision(problem: Problem) -> None:
    record = blend(problem.home, "m", members=["a", "b"], problem=problem, display=QUIET)
    fixed = problem.default_decision()
    solo = {}
    for name in "ab":
        held = read_decided(problem, problem.home.run(name))
        answers = fixed.answers(held.scores)
        metric = problem.metric
        counts = metric.count(answers.runs, held.target.runs, 2, None)
        solo[name] = metric(counts, held.target)
    gain = record["gain"]
    assert gain["solo_scores"] == pytest.approx(solo)
    assert gain["best_member"] == max(solo, key=lambda name: solo[name])
    assert gain["over_best"]["naive"] == pytest.approx(gain["blend_score"] - max(solo.values()))
    assert gain["weights"] == {"a": 0.5, "b": 0.5}


def test_a_blend_can_be_a_member(problem: Problem) -> None:
    blend(problem.home, "m", members=["a", "b"], problem=problem, display=QUIET)
    record = blend(problem.home, "mm", members=["m", "c"], problem=problem, display=QUIET)
    assert record["members"][0]["made_of"] == ["a", "b"]


def test_other_methods_are_refused(problem: Problem) -> None:
    for method in ("convex", "rank_mean"):
        with pytest.raises(ConfigError, match="maps are blended by their mean"):
            blend(
                problem.home, "m", method=method, members=["a", "b"], problem=problem, display=QUIET
            )
    with pytest.raises(ConfigError, match="nothing is fitted"):
        blend(problem.home, "m", members=["a", "b"], refit=200, problem=problem, display=QUIET)


def test_a_member_without_maps_is_named(problem: Problem) -> None:
    with pytest.raises(RunError, match="nowhere"):
        blend(problem.home, "m", members=["a", "nowhere"], problem=problem, display=QUIET)
