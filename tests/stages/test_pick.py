from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from foldwise.errors import ConfigError, RulesError, RunError
from foldwise.json_files import read_json
from foldwise.publish import publish_json, publish_text
from foldwise.stages import pick as stage
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.ledger import ledger_add
from foldwise.stages.pick import pick
from foldwise.stages.submit import submit
from foldwise.tasks.problem import Problem, open_problem

from .small_competition import QUIET, make_problem, write_run


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)
    monkeypatch.setattr(stage, "RESAMPLES", 60)
    monkeypatch.setattr(stage, "_FEWEST", 60)


def runs(folder: Path, noises: dict[str, float], task: str = "multiclass", **more: Any) -> Problem:
    problem = make_problem(folder, task, thumbs=False, **more)
    for seed, (name, noise) in enumerate(noises.items()):
        write_run(problem, name, noise=noise, seed=seed)
    return problem


def submitted(problem: Problem, name: str, public: float) -> None:
    submit(problem.home, name, problem=problem, display=QUIET)
    ledger_add(problem.home, name, public=public, display=QUIET)


def picked(problem: Problem, num: int | None = None, **options: Any) -> dict[str, Any]:
    return pick(problem.home, num, problem=problem, display=QUIET, **options)


def by_name(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in result["candidates"]}


FOUR = {"a": 0.5, "b": 0.55, "c": 0.6, "weak": 2.0}


@pytest.mark.parametrize("task", ["multiclass", "ordinal", "multilabel", "regression"])
def test_the_rules_number_of_runs_is_picked_and_written(tmp_path: Path, task: str) -> None:
    problem = runs(tmp_path, FOUR, task)
    result = picked(problem)
    assert len(result["picks"]) == 2
    assert "weak" not in result["picks"]
    assert read_json(problem.home.submissions / "picks.json") == result
    scores = {name: read_json(problem.home.run(name).scores)["score"] for name in FOUR}
    assert {name: row["cv"] for name, row in by_name(result).items()} == pytest.approx(scores)
    for row in result["candidates"]:
        private = row["private"]
        assert private["low"] <= private["expected"] <= private["high"]
        assert len(row["climb"]) == 5
    assert picked(problem) == result


def test_lower_is_better_picks_the_lower_scores(tmp_path: Path) -> None:
    problem = runs(tmp_path, {"good": 1.0, "bad": 3.0, "worse": 9.0}, "regression")
    assert picked(problem, 1)["picks"] == ["good"]
    assert picked(problem, 1, pass_score=2.0)["sets"]["picked"]["chance"] > 0.5


def test_public_scores_of_the_ledger_move_the_picks(tmp_path: Path) -> None:
    problem = runs(tmp_path, dict.fromkeys("abcd", 0.8), num_test=400)
    before = by_name(picked(problem))
    for name, public in (("a", 0.4), ("b", 0.9), ("c", 0.89), ("d", 0.45)):
        submitted(problem, name, public)
    result = picked(problem)
    assert set(result["picks"]) == {"b", "c"}
    assert result["sets"]["by_public"]["members"] == ["b", "c"]
    assert result["shift"]["num_scores"] == 4
    assert not result["shift"]["is_learnt"]
    after = by_name(result)
    assert after["a"]["public"] == 0.4
    assert after["a"]["private"]["expected"] < before["a"]["private"]["expected"] - 0.05
    assert any(
        "mostly assumed (4 public scores known, 8 are enough)" in r for r in result["reasons"]
    )


def test_a_public_score_counts_for_the_run_as_it_was_submitted_only(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR)
    submitted(problem, "a", 0.7)
    assert by_name(picked(problem))["a"]["public"] == 0.7
    write_run(problem, "a", noise=0.5, seed=99)
    row = by_name(picked(problem))["a"]
    assert row["public"] is None
    assert row["is_submitted"]


def test_public_scores_of_unknown_runs_are_named_and_left_out(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR)
    submitted(problem, "a", 0.7)
    ledger_add(problem.home, run="gone", public=0.99, display=QUIET)
    result = picked(problem)
    assert list(result["left_out"]) == ["gone"]
    assert "there is no such run" in result["left_out"]["gone"]
    assert result["shift"]["num_scores"] == 1


def test_runs_that_lack_a_fold_are_left_out_with_the_reason(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR)
    write_run(problem, "half", noise=0.1, folds=(0, 1))
    result = picked(problem)
    assert result["left_out"] == {"half": "half: lacks fold 2, so its score does not compare"}


def test_fewer_candidates_than_picks_is_an_error_that_names_them(tmp_path: Path) -> None:
    problem = runs(tmp_path, {"a": 0.5})
    with pytest.raises(RunError, match="wanted 2 picks, found 1 to pick from: a"):
        picked(problem)
    assert picked(problem, 1)["picks"] == ["a"]


def test_without_a_cross_fitted_score_nothing_is_picked(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    with pytest.raises(RunError, match="no run has a cross-fitted score"):
        picked(problem)
    for seed, name in enumerate("ab"):
        write_run(problem, name, seed=seed, train={"stop": "validation"})
    with pytest.raises(RunError, match="chosen on the held-out fold itself"):
        picked(problem)


def test_an_optimistic_score_is_discounted_and_loses_a_tie(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "honest", seed=1)
    write_run(problem, "lucky", seed=1, train={"stop": "validation"})
    result = picked(problem, 1)
    assert result["picks"] == ["honest"]
    rows = by_name(result)
    assert rows["lucky"]["cv"] == rows["honest"]["cv"]
    assert rows["lucky"]["private"]["expected"] < rows["honest"]["private"]["expected"]


def test_wrong_numbers_are_refused_with_what_would_do(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR)
    with pytest.raises(ConfigError, match="found 0, wanted 1 or more"):
        picked(problem, 0)
    with pytest.raises(RulesError, match=r"rules\.final_picks: 2 count, found 3 asked"):
        picked(problem, 3)
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="wanted a share between 0 and 1"):
            picked(problem, public_share=share)
    with pytest.raises(ConfigError, match="wanted accuracy between 0 and 1"):
        picked(problem, pass_score=7.0)
    assert not (problem.home.submissions / "picks.json").exists()


def test_more_public_rows_mean_fewer_private_ones(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR)
    split = picked(problem, public_share=0.8)["split"]
    assert (split["num_public"], split["num_private"], split["units"]) == (24, 6, "rows")


def test_groups_are_the_units_where_there_are_groups(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR, group_size=4)
    split = picked(open_problem(problem.home))["split"]
    assert (split["units"], split["num_train"]) == ("groups", 30)
    assert split["num_public"] + split["num_private"] == pytest.approx(30 / 4, abs=1)


def test_a_blend_is_a_candidate_with_its_members_families(tmp_path: Path) -> None:
    problem = runs(tmp_path, {"a": 0.9, "b": 0.9})
    write_run(problem, "other", noise=0.9, seed=7, model={"name": "resnet18"})
    blend(problem.home, "all3", members=["a", "b", "other"], problem=problem, display=QUIET)
    result = picked(problem)
    families = by_name(result)["all3"]["families"]
    small, large = sorted(families)
    assert (small.split(",")[0], large.split(",")[0]) == ("resnet18", "small_cnn")
    assert families[large] == pytest.approx(2 / 3)
    assert by_name(result)["all3"]["num_parts"] == 3
    assert "all3" in result["picks"]


def test_what_can_be_made_again_wins_a_tie(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    for name in ("a", "b"):
        write_run(problem, name, seed=1)
    run = problem.home.run("b")
    publish_json(run.path / "merged.json", {"fold0-seed0": {}})
    publish_text(run.unit(0, 0).weights, "weights")
    result = picked(problem, 1)
    assert result["picks"] == ["b"]
    rows = by_name(result)
    assert (rows["a"]["is_reproducible"], rows["b"]["is_reproducible"]) == (False, True)


def test_reasons_and_table_are_told_in_plain_words(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR)
    submitted(problem, "weak", 0.5)
    out = io.StringIO()
    show = Display(console=Console(file=out, width=160, soft_wrap=True))
    result = pick(problem.home, problem=problem, display=show, pass_score=0.8)
    text = out.getvalue()
    assert f"pick {', '.join(result['picks'])}" in text
    for reason in result["reasons"]:
        assert reason in text
    said = " ".join(result["reasons"])
    assert "expected best private score" in said
    assert "to reach accuracy 0.8" in said
    assert re.search(
        r"best on public \([a-c], weak; too few public scores, filled up by cv\)", said
    )
    assert "best by cv" in said
    assert "1 public score known" in said


def test_a_metric_undefined_on_tiny_private_sets_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    problem = runs(tmp_path, {"a": 0.5, "b": 0.6}, "ordinal", num_test=2)
    with pytest.raises(RunError, match="undefined on simulated test sets"):
        picked(problem)


def test_scores_are_weighed_for_the_test_mix(tmp_path: Path) -> None:
    problem = runs(tmp_path, FOUR, test_prior={"ape": 0.8, "bear": 0.1, "cow": 0.1})
    rows = by_name(picked(problem))
    scores = {name: read_json(problem.home.run(name).scores)["score"] for name in FOUR}
    assert {name: row["cv"] for name, row in rows.items()} == pytest.approx(scores)
    assert np.isfinite([row["private"]["expected"] for row in rows.values()]).all()
