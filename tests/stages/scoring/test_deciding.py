from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import ConfigError
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.evaluate import evaluate
from foldwise.stages.scoring.deciding import choose, read_decided
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem

from ..small_competition import QUIET, make_problem, write_run, write_scores

FIXED = [0.5, 1.5, 2.5, 3.5]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 100)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def graded(folder: Path, decision: str = "auto") -> Problem:
    return make_problem(
        folder,
        "ordinal",
        num_train=300,
        thumbs=False,
        submission={"decision": decision},
    )


def shrunk_run(problem: Problem, name: str = "a") -> RunDir:
    """Scores drawn to the middle grade, so that the fixed cuts name the ends too rarely."""
    run = write_run(problem, name, noise=0.3)
    for path in (run.oof, run.test):
        found = predictions_file.read(path)
        predictions_file.write(path, found.with_scores(2 + (found.scores - 2) * 0.45))
    return run


def scored(problem: Problem, name: str = "a") -> dict[str, Any]:
    return evaluate(problem.home, name, problem=problem, display=QUIET)


def without_drawn(held: HeldOut) -> Any:
    return lambda fold: held.among(held.folds != fold)


def test_fitted_cuts_take_over_where_they_win_and_the_score_says_how_it_was_got(
    tmp_path: Path,
) -> None:
    problem = graded(tmp_path)
    shrunk_run(problem)
    scores = scored(problem)
    assert scores["decision"]["kind"] == "fitted"
    assert set(scores["decision"]["folds"].values()) == {"fitted"}
    assert scores["decision"]["gain"]["low"] > 0
    assert scores["how"]["got"] == "cross-fitted"
    assert "chosen and fitted without the fold it scores" in scores["how"]["sentence"]
    assert scores["how"]["naive"] == scores["decision"]["naive_score"] >= scores["score"]
    step = read_json(problem.home.run("a").decision)["steps"][-1]
    assert step["fitted"]
    assert 1 < step["options"]["values"][0] < step["options"]["values"][-1] < 3


def test_fixed_cuts_stay_where_fitted_ones_do_not_win(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    write_run(problem, "a", noise=0.6)
    scores = scored(problem)
    assert scores["decision"]["kind"] == "fixed"
    assert "do not win cross-fitted" in scores["decision"]["reason"]
    assert scores["decision"]["naive_score"] is None
    assert scores["how"]["got"] == "cross-fitted"
    assert read_json(problem.home.run("a").decision)["steps"][-1]["options"]["values"] == FIXED


def test_no_fold_is_decided_by_what_has_seen_it(tmp_path: Path) -> None:
    problem = graded(tmp_path, "fitted")
    run = shrunk_run(problem)
    before = read_decided(problem, run)
    target = problem.target.copy()
    spoilt = before.folds == 1
    target[spoilt] = 4 - target[spoilt]
    vars(problem)["target"] = target  # A cached property: the labels of fold 1 alone change.
    after = read_decided(problem, run)
    assert after.by_fold is not None
    assert before.by_fold is not None
    assert after.by_fold[1] == before.by_fold[1]
    assert after.by_fold[0] != before.by_fold[0]
    np.testing.assert_array_equal(after.answers[spoilt], before.answers[spoilt])


def test_what_was_decided_is_kept_until_the_scores_change(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    run = shrunk_run(problem)
    read_decided(problem, run)
    written = run.decision.stat().st_mtime_ns
    read_decided(problem, run)
    assert run.decision.stat().st_mtime_ns == written
    found = predictions_file.read(run.oof)
    predictions_file.write(run.oof, found.with_scores(np.clip(found.scores + 0.2, 0, 4)))
    read_decided(problem, run)
    assert run.decision.stat().st_mtime_ns > written


def test_fitted_cuts_on_one_fold_are_called_naive(tmp_path: Path) -> None:
    problem = graded(tmp_path, "fitted")
    write_run(problem, "a", folds=(0,))
    scores = scored(problem)
    assert scores["how"]["got"] == "naive"
    assert "only one fold" in scores["how"]["sentence"]


@pytest.mark.parametrize(("num_folds", "said"), [(1, "1 fold is"), (2, "2 folds are")])
def test_fewer_than_three_folds_are_too_few_for_auto(
    tmp_path: Path, num_folds: int, said: str
) -> None:
    problem = graded(tmp_path)
    run = shrunk_run(problem)
    found = predictions_file.read(run.oof)
    predictions_file.write(run.oof, found.take(found.folds < num_folds))
    scores = scored(problem)
    assert scores["decision"]["kind"] == "fixed"
    assert f"{said} too few" in scores["decision"]["reason"]
    assert scores["how"]["got"] == "cross-fitted"


def test_shares_give_each_grade_as_many_answers_as_it_has_labels(tmp_path: Path) -> None:
    problem = graded(tmp_path, "shares")
    run = shrunk_run(problem)
    scored(problem)
    held = replace(read_decided(problem, run), by_fold=None)
    expected = np.bincount(problem.target, minlength=5)
    np.testing.assert_allclose(np.bincount(held.answers, minlength=5), expected, atol=1)


def test_a_metric_without_an_exact_fit_keeps_the_fixed_decision(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    write_run(problem, "a")
    scores = scored(problem)
    assert scores["decision"]["kind"] == "fixed"
    assert "3 exclusive classes" in scores["decision"]["reason"]


def test_asking_for_a_fit_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False, submission={"decision": "fitted"})
    write_run(problem, "a")
    with pytest.raises(ConfigError, match=r"submission.decision: fitted: .* 3 exclusive classes"):
        scored(problem)


def test_scores_that_are_submitted_as_scores_are_not_decided(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "ordinal", thumbs=False, submission={"gives": "scores"})
    run = shrunk_run(problem)
    scored(problem)
    assert "scores are asked for" in read_json(run.decision)["choice"]["reason"]


def test_shares_decide_though_the_metric_reads_scores(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multilabel", thumbs=False, submission={"decision": "shares"})
    run = write_run(problem, "a", noise=1.0)
    scored(problem)
    decided = replace(read_decided(problem, run), by_fold=None)
    np.testing.assert_allclose(decided.answers.mean(axis=0), problem.target.mean(axis=0), atol=0.02)


def test_fitting_answers_to_a_metric_that_reads_scores_is_refused(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multilabel", thumbs=False, submission={"decision": "fitted"})
    write_run(problem, "a")
    with pytest.raises(ConfigError, match=r"submission\.decision: fitted"):
        scored(problem)


def test_a_fold_decided_otherwise_than_test_is_told(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    run = shrunk_run(problem)
    read_decided(problem, run)
    stored = read_json(run.decision)
    stored["choice"]["folds"]["1"] = "fixed"
    publish_json(run.decision, stored)
    assert "otherwise than for test in fold 1" in scored(problem)["how"]["sentence"]


def test_a_blends_cuts_for_a_fold_come_from_scores_it_had_no_part_in(tmp_path: Path) -> None:
    problem = graded(tmp_path, "fitted")
    run = shrunk_run(problem)
    plain = read_decided(problem, run)
    others = plain.folds != 0
    moved = Predictions(
        problem.train.ids[others], np.clip(plain.scores[others] + 0.5, 0, 4), problem.columns
    )
    predictions_file.write(run.without(0), moved)
    found = read_decided(problem, run)
    assert found.by_fold is not None
    assert plain.by_fold is not None
    first, other = (
        np.array(each.by_fold[0].steps[-1].options["values"]) for each in (plain, found)
    )
    np.testing.assert_allclose(other, first + 0.5, atol=1e-9)
    assert found.by_fold[1] == plain.by_fold[1]


def test_noise_is_seldom_taken_for_a_better_decision(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "ordinal", num_train=200, thumbs=False)
    rng = np.random.default_rng(0)
    kinds = []
    for number in range(20):
        scores = np.clip(problem.one_hot + rng.normal(size=(200, 1)), 0, 4)
        test = np.zeros((len(problem.test), 1))
        run = RunDir(problem.home.runs / f"r{number}")
        write_scores(problem, run, problem.train.ids, scores, problem.folds, test)
        held = replace(read_decided(problem, run), by_fold=None)
        kinds.append(choose(held, without_drawn(held), "auto").kind)
    assert kinds.count("fitted") <= 3
