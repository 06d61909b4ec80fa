from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn import metrics as oracle

from foldwise import predictions as predictions_file
from foldwise.blending import BLENDS, Answer, Blend, Goal
from foldwise.errors import ConfigError, RunError
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_text
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.joining.members import choose_members
from foldwise.stages.joining.pool import pool_of
from foldwise.stages.joining.telling import gain_lines
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem, open_problem

from .small_competition import QUIET, make_problem, write_run, write_scores

#: Methods that need several columns, or probabilities.
FOR_CLASSES = ("geometric_mean", "per_class", "logistic")
TASKS = ("multiclass", "ordinal", "multilabel", "regression")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def blended(problem: Problem, name: str = "both", **options: Any) -> dict[str, Any]:
    return blend(problem.home, name, problem=problem, display=QUIET, **options)


def scores_of(problem: Problem, name: str) -> np.ndarray:
    found = predictions_file.read(problem.home.run(name).oof)
    return found.align(problem.train.ids, name=name).scores


def two_runs(folder: Path, task: str = "multiclass", **changes: Any) -> Problem:
    problem = make_problem(folder, task, thumbs=False, **changes)
    write_run(problem, "a", noise=0.6, seed=1)
    write_run(problem, "b", noise=0.7, seed=2)
    return problem


@pytest.mark.parametrize("task", TASKS)
def test_mean_of_two_is_the_mean_by_id_in_both_files(tmp_path: Path, task: str) -> None:
    problem = two_runs(tmp_path, task)
    record = blended(problem)
    run = problem.home.run("both")
    mean = (scores_of(problem, "a") + scores_of(problem, "b")) / 2
    assert scores_of(problem, "both") == pytest.approx(mean)
    tests = [predictions_file.read(problem.home.run(name).test).scores for name in ("a", "b")]
    assert predictions_file.read(run.test).scores == pytest.approx(np.mean(tests, axis=0))
    assert (predictions_file.read(run.oof).folds == problem.folds).all()
    assert [member["weight"] for member in record["members"]] == [0.5, 0.5]
    scores = read_json(run.scores)
    assert scores["kind"] == "blend"
    assert scores["how"]["got"] == "cross-fitted"
    assert "equal weights, members chosen without the fold" in scores["how"]["sentence"]
    assert scores["score"] == pytest.approx(record["naive_score"])
    blended(problem, "every", method={"name": "mean", "comparable": False})
    how = read_json(problem.home.run("every").scores)["how"]
    assert how["sentence"].startswith("equal weights, nothing fitted")


def test_the_mean_leaves_out_who_is_far_behind_unless_told_otherwise(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    write_run(problem, "weak", noise=6.0, seed=3)
    members = ["a", "b", "weak"]
    weights = [member["weight"] for member in blended(problem, members=members)["members"]]
    assert weights == [0.5, 0.5, 0.0]
    every = {"name": "mean", "comparable": False}
    record = blended(problem, "every", members=members, method=every)
    assert [member["weight"] for member in record["members"]] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("task", ["multiclass", "ordinal"])
@pytest.mark.parametrize("method", BLENDS)
def test_every_method_blends_many_columns_and_one_and_says_how(
    tmp_path: Path, task: str, method: str
) -> None:
    problem = two_runs(tmp_path, task)
    if task == "ordinal" and method in FOR_CLASSES:
        with pytest.raises(ConfigError, match=f"blend method {method} needs"):
            blended(problem, method=method)
        return
    record = blended(problem, method=method)
    assert [member["worth"]["num_rows"] for member in record["members"]] == [120, 120]
    assert record["diversity"]["names"] == ["a", "b"]
    scores = read_json(problem.home.run("both").scores)
    assert scores["how"]["got"] == "cross-fitted"
    assert scores["how"]["naive"] == record["naive_score"]
    assert Blend.from_json(read_json(problem.home.run("both").blend)).method == method
    assert record["gain"]["verdict"] in ("gain", "loss", "undecided")


def unlike_in_fold_0(folder: Path) -> Problem:
    """Two runs: `a` is perfect in fold 0 and bad elsewhere, `b` is fair everywhere."""
    problem = make_problem(folder, "regression", thumbs=False)
    rng = np.random.default_rng(0)
    truth = problem.one_hot
    good_in_0 = np.where(problem.folds[:, None] == 0, truth, truth + rng.normal(0, 9, truth.shape))
    other = truth + rng.normal(0, 3, truth.shape)
    for name, oof in (("a", good_in_0), ("b", other)):
        run = RunDir(problem.home.runs / name)
        write_scores(problem, run, problem.train.ids, oof, problem.folds, oof[:30])
    return problem


def test_weights_are_fitted_without_the_fold_they_score(tmp_path: Path) -> None:
    problem = unlike_in_fold_0(tmp_path)
    record = blended(problem, method={"name": "greedy", "num_steps": 10})
    per_fold = record["gain"]["weights_per_fold"]
    assert per_fold["0"]["a"] < per_fold["1"]["a"]
    fold_0 = problem.folds == 0
    expected = sum(per_fold["0"][name] * scores_of(problem, name) for name in ("a", "b"))
    assert scores_of(problem, "both")[fold_0] == pytest.approx(expected[fold_0])


def test_gain_is_over_the_best_member_in_the_metrics_sign(tmp_path: Path) -> None:
    problem = two_runs(tmp_path, "regression")
    record = blended(problem)
    solo = {
        name: oracle.root_mean_squared_error(problem.target, scores_of(problem, name)[:, 0])
        for name in ("a", "b")
    }
    mean = oracle.root_mean_squared_error(problem.target, scores_of(problem, "both")[:, 0])
    assert {m["name"]: m["score"] for m in record["members"]} == pytest.approx(solo)
    over_best = record["gain"]["over_best"]
    assert over_best["naive"] == pytest.approx(min(solo.values()) - mean)
    assert over_best["low"] < over_best["cross_fitted"] < over_best["high"]
    assert over_best["covers"] == "120 rows resampled, 30 times"
    assert record["gain"]["over_mean"]["cross_fitted"] == 0
    assert record["gain"]["verdict"] == "gain"


def test_labels_are_averaged_after_each_member_has_decided(tmp_path: Path) -> None:
    prior = {"ape": 0.8, "bear": 0.1, "cow": 0.1}
    problem = make_problem(tmp_path, "multiclass", test_prior=prior, thumbs=False)
    for seed, name in enumerate("abc"):
        write_run(problem, name, noise=0.7, seed=seed)
    blended(problem, method="label_average", members=["a", "b", "c"])
    decision = problem.default_decision()
    ballots = [decision.answers(scores_of(problem, name)) for name in "abc"]
    shares = np.mean([np.eye(3)[ballot] for ballot in ballots], axis=0)
    assert scores_of(problem, "both") == pytest.approx(shares)
    # The prior is in the votes already: the blend only counts them.
    steps = read_json(problem.home.run("both").decision)["steps"]
    assert [step["name"] for step in steps] == ["argmax"]
    weight = problem.row_weights
    right = shares.argmax(1) == problem.target
    score = read_json(problem.home.run("both").scores)["score"]
    assert score == pytest.approx(np.average(right, weights=weight))


def test_a_blend_is_a_member_of_a_blend(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    write_run(problem, "c", seed=3)
    blended(problem, "ab", members=["a", "b"])
    blended(problem, "abc", members=["ab", "c"])
    expected = (scores_of(problem, "a") + scores_of(problem, "b")) / 4
    assert scores_of(problem, "abc") == pytest.approx(expected + scores_of(problem, "c") / 2)
    with pytest.raises(RunError, match="'ab' cannot be a member of itself"):
        blended(problem, "ab", members=["abc", "a"])


def test_a_reference_is_a_member(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    write_run(problem, "a/reference", kind="reference", seed=5)
    record = blended(problem, members=["a", "a/reference"])
    assert [member["name"] for member in record["members"]] == ["a", "a/reference"]


def test_up_to_date_blends_are_kept_and_a_changed_member_makes_a_new_one(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    blended(problem)
    run = problem.home.run("both")
    written = run.oof.stat().st_mtime_ns
    blended(problem)
    assert run.oof.stat().st_mtime_ns == written
    write_run(problem, "b", seed=9)
    blended(problem)
    mean = (scores_of(problem, "a") + scores_of(problem, "b")) / 2
    assert scores_of(problem, "both") == pytest.approx(mean)


def test_another_metric_makes_a_new_blend(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    first = blended(problem, method="greedy")
    text = problem.home.competition.read_text("utf-8")
    publish_text(problem.home.competition, text.replace("metric: accuracy", "metric: log_loss"))
    second = blended(open_problem(problem.home), method="greedy")
    assert second["naive_score"] != first["naive_score"]
    assert second["created"] == first["created"]


def test_all_members_that_do_not_fit_are_named_at_once(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    write_run(problem, "short", folds=(0, 2))
    shifted = write_run(problem, "shifted", seed=4)
    found = predictions_file.read(shifted.oof)
    predictions_file.write(shifted.oof, replace(found, folds=(found.folds + 1) % 3))
    flat = write_run(problem, "flat", seed=5)
    predictions_file.write(flat.oof, found.with_scores(np.full_like(found.scores, 1 / 3)))
    broken = write_run(problem, "broken", seed=6)
    holes = found.scores.copy()
    holes[2] = np.nan
    predictions_file.write(broken.oof, found.with_scores(holes))
    names = ["a", "short", "shifted", "flat", "broken", "nobody", "a"]
    with pytest.raises(RunError) as caught:
        blended(problem, members=names)
    text = "\n".join(caught.value.problems)
    assert "short: lacks fold 1, which other members have" in text
    assert "shifted: 120 of 120 rows were held out in another fold" in text
    assert "flat: its out-of-fold scores are the same for every row, 0.3333, 0.3333" in text
    assert "leave it out, or predict it again" in text
    assert "broken: scores of 1 of 120 rows are NaN or infinite, such as t0002" in text
    assert "there is no run 'nobody'" in text
    assert "a: is named twice" in text
    assert not problem.home.run("both").record.exists()


def test_of_the_whole_plan_what_does_not_fit_is_left_out_and_named(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a")
    write_run(problem, "b", folds=(0, 1))
    record = blended(problem)
    assert [member["name"] for member in record["members"]] == ["a"]
    assert record["left_out"] == {"b": "b: lacks fold 2, which other members have"}


def test_members_that_lack_the_same_fold_blend_on_the_others(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a", folds=(0,))
    write_run(problem, "b", folds=(0,), seed=1)
    record = blended(problem, method="greedy")
    scores = read_json(problem.home.run("both").scores)
    assert record["gain"]["over_best"]["cross_fitted"] is None
    assert scores["how"]["got"] == "naive"
    assert scores["missing_folds"] == [1, 2]


def test_rows_of_a_fold_that_no_member_has_whole_are_not_blended(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a", folds=(0, 1))
    begun = write_run(problem, "b", seed=1)
    found = predictions_file.read(begun.oof)
    predictions_file.write(begun.oof, found.take((found.folds < 2) | (np.arange(120) < 30)))
    record = blended(problem)
    assert record["left_out"] == {}
    scores = read_json(problem.home.run("both").scores)
    assert (scores["present_folds"], scores["num_rows"]) == ([0, 1], 80)


def test_an_optimistic_member_makes_the_blend_optimistic(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    write_run(problem, "c", train={"stop": "validation"})
    blended(problem, members=["a", "c"])
    how = read_json(problem.home.run("both").scores)["how"]
    assert how["got"] == "optimistic"
    assert how["sentence"].endswith("c")


def test_nothing_to_blend_and_other_kinds_and_names_are_refused(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    with pytest.raises(RunError, match="nothing to blend"):
        blended(problem)
    write_run(problem, "a")
    with pytest.raises(RunError, match="is no blend but of kind recipe"):
        blended(problem, "a", members=["a"])
    with pytest.raises(RunError, match=r"a run cannot be called '\.\./up'"):
        blended(problem, "../up", members=["a"])
    with pytest.raises(ConfigError, match="did you mean 'greedy'"):
        blended(problem, method="gredy")


def outside(
    problem: Problem, folder: Path, seed: int = 8, *, factor: float = 1.0, folds: bool = True
) -> str:
    """A pair of score files with rows in another order, as a member's spec."""
    other = write_run(problem, "teammate", seed=seed)
    oof, test = predictions_file.read(other.oof), predictions_file.read(other.test)
    for name, found in (("oof", oof), ("test", test)):
        frame = pd.DataFrame({"id": found.ids})
        for column, values in zip(found.columns, (found.scores * factor).T, strict=True):
            frame[column] = values
        if folds and found.folds is not None:
            frame["fold"] = found.folds
        write_csv(folder / f"{name}.csv", frame.iloc[::-1])
    return f"{folder / 'oof.csv'},test.csv"


@pytest.mark.parametrize("task", TASKS)
def test_score_files_from_outside_are_members_by_id(tmp_path: Path, task: str) -> None:
    problem = two_runs(tmp_path, task)
    record = blended(problem, members=["a", outside(problem, tmp_path)])
    mean = (scores_of(problem, "a") + scores_of(problem, "teammate")) / 2
    assert scores_of(problem, "both") == pytest.approx(mean)
    assert record["members"][1]["kind"] == "outside"
    assert read_json(problem.home.run("both").scores)["how"]["got"] == "cross-fitted"


def test_files_of_another_run_folder_are_members(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    theirs = problem.home.run("b").path
    blended(problem, members=["a", f"{theirs / 'oof.parquet'},test.parquet"])
    mean = (scores_of(problem, "a") + scores_of(problem, "b")) / 2
    assert scores_of(problem, "both") == pytest.approx(mean)


def test_rows_from_outside_that_do_not_sum_to_one_are_told(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    record = blended(problem, members=["a", outside(problem, tmp_path, factor=0.5)])
    assert any("rows sum to 0.5 up to 0.5" in note for note in record["members"][1]["notes"])


def test_outside_scores_without_folds_make_the_blend_optimistic(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    blended(problem, members=["a", outside(problem, tmp_path, folds=False)])
    how = read_json(problem.home.run("both").scores)["how"]
    assert how["got"] == "optimistic"
    assert "oof.csv" in how["sentence"]


def _edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: _edited(t, "id,ape", "id,apes"), "score columns missing: ape"),
        (lambda t: _edited(t, "id,", "name,"), "no column 'id'"),
        (lambda t: _edited(t, "t0003", "t0004"), "id 't0004' is there already in line"),
        (lambda t: _edited(t, "t0003", "z0003"), "no train rows, such as z0003"),
        (lambda t: "\n".join(t.splitlines()[:-5]) + "\n", "lacks 2 rows of fold 0, such as t0000"),
        (lambda t: t + "t9999,0.1,0,1\n", "found 4 cells, wanted 5"),
        (lambda t: _edited(t, "t0003,", "t0003,7.5e"), "wanted a finite number"),
    ],
)
def test_wrong_score_files_are_refused_with_the_reason(
    tmp_path: Path, edit: Any, words: str
) -> None:
    problem = two_runs(tmp_path)
    spec = outside(problem, tmp_path)
    file = tmp_path / "oof.csv"
    publish_text(file, edit(file.read_text("utf-8")))
    with pytest.raises(RunError) as caught:
        blended(problem, members=["a", spec])
    assert words in str(caught.value)


def test_logits_from_outside_are_refused_with_range_row_and_remedy(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    with pytest.raises(RunError) as caught:
        blended(problem, members=["a", outside(problem, tmp_path, factor=4.0)])
    text = str(caught.value)
    assert re.search(r"oof\.csv: found scores in \[0\.0\d+, 3\.9\d+\], wanted prob", text)
    assert re.search(
        r"wanted probabilities in \[0, 1\]: \d+ of 120 rows are beyond, such as t", text
    )
    assert "a softmax or sigmoid makes logits probabilities" in text
    assert "{name: rank_mean, onto: ranks}" in text


@pytest.mark.parametrize("method", ["label_average", {"name": "rank_mean", "onto": "ranks"}])
def test_where_only_order_counts_logits_will_do(tmp_path: Path, method: Any) -> None:
    problem = two_runs(tmp_path)
    spec = outside(problem, tmp_path, factor=4.0)
    record = blended(problem, members=["a", spec], method=method)
    scaled = scores_of(problem, "both")
    assert any("only their order is used" in note for note in record["members"][1]["notes"])
    blended(problem, "same", members=["a", "teammate"], method=method)
    np.testing.assert_allclose(scaled, scores_of(problem, "same"))
    with pytest.raises(RunError, match="wanted probabilities"):
        blended(problem, members=["a", spec], method="rank_mean")


def test_an_order_alone_will_not_do_where_a_prior_or_cuts_read_scores(tmp_path: Path) -> None:
    balanced = two_runs(tmp_path / "balanced", test_prior="balanced")
    spec = outside(balanced, tmp_path, factor=4.0)
    with pytest.raises(RunError, match="wanted probabilities"):
        blended(balanced, members=["a", spec], method="label_average")
    grades = two_runs(tmp_path / "grades", "ordinal")
    spec = outside(grades, tmp_path, factor=4.0)
    with pytest.raises(RunError, match=r"wanted grades counted from 0 in \[0, 4\]"):
        blended(grades, members=["a", spec], method="label_average")


def test_a_lone_score_file_asks_for_its_pair(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    outside(problem, tmp_path)
    with pytest.raises(RunError, match="found 1 score file, wanted two"):
        blended(problem, members=["a", str(tmp_path / "oof.csv")])
    with pytest.raises(RunError, match=r"none\.csv: no such file"):
        blended(problem, members=["a", f"{tmp_path / 'oof.csv'},none.csv"])


def test_test_rows_without_a_score_are_named(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    test = predictions_file.read(problem.home.run("b").test)
    predictions_file.write(problem.home.run("b").test, test.take(np.arange(28)))
    with pytest.raises(RunError, match="2 of 30 ids have no prediction: x0028, x0029"):
        blended(problem, members=["a", "b"])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("test", r"b \(test\): 1 ids are there more than once, such as x0003"),
        ("oof", r"b: 1 ids are there more than once, such as t0003"),
    ],
)
def test_ids_that_are_there_twice_are_named(tmp_path: Path, part: str, words: str) -> None:
    problem = two_runs(tmp_path)
    path = getattr(problem.home.run("b"), part)
    found = predictions_file.read(path)
    predictions_file.write(path, found.take(np.append(np.arange(len(found)), 3)))
    with pytest.raises(RunError, match=words):
        blended(problem, members=["a", "b"])


def test_test_scores_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    test = predictions_file.read(problem.home.run("b").test)
    scores = test.scores.copy()
    scores[7, 1] = np.inf
    predictions_file.write(problem.home.run("b").test, test.with_scores(scores))
    with pytest.raises(RunError, match=r"b \(test\): scores of 1 of 30 rows .* such as x0007"):
        blended(problem, members=["a", "b"])


def test_a_member_of_one_score_is_left_out_of_the_plan_and_named(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    flat = problem.home.run("b")
    found = predictions_file.read(flat.test)
    predictions_file.write(flat.test, found.with_scores(np.full_like(found.scores, 1 / 3)))
    record = blended(problem)
    assert [member["name"] for member in record["members"]] == ["a"]
    assert "b: its test scores are the same for every row" in record["left_out"]["b"]


def test_a_mean_of_sure_members_stays_a_probability(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", test_prior="balanced", thumbs=False)
    names = [f"m{number}" for number in range(29)]  # 29 times 1/29 is more than 1 in binary.
    for name in names:
        run = RunDir(problem.home.runs / name)
        sure = problem.one_hot
        write_scores(problem, run, problem.train.ids, sure, problem.folds, sure[:30])
    blended(problem, members=names)
    assert (scores_of(problem, "both") == problem.one_hot).all()


def test_columns_are_taken_by_name(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    found = predictions_file.read(problem.home.run("b").oof)
    turned = Predictions(found.ids, found.scores[:, ::-1], found.columns[::-1], folds=found.folds)
    before = scores_of(problem, "b")
    predictions_file.write(problem.home.run("b").oof, turned)
    blended(problem)
    assert scores_of(problem, "both") == pytest.approx((scores_of(problem, "a") + before) / 2)


def test_what_a_search_may_know_of_the_metric_is_told(tmp_path: Path) -> None:
    prior = {"ape": 0.5, "bear": 0.25, "cow": 0.25}
    classes = two_runs(tmp_path / "classes", test_prior=prior)
    goal = _goal(classes)
    assert (goal.metric, goal.answer) == ("accuracy", Answer("argmax"))
    train, test = classes.shares()
    assert goal.factors == pytest.approx(test / train)
    assert goal.weight == pytest.approx(classes.row_weights)
    grades = _goal(two_runs(tmp_path / "grades", "ordinal"))
    assert grades.answer == Answer("cuts", (0.5, 1.5, 2.5, 3.5))
    assert grades.factors is grades.weight is None
    labels = _goal(two_runs(tmp_path / "labels", "multilabel", metric="macro_f1"))
    assert labels.answer == Answer("thresholds", (0.5,))
    numbers = _goal(two_runs(tmp_path / "numbers", "regression"))
    assert (numbers.metric, numbers.answer) == ("rmse", Answer("value"))
    options = {"name": "qwk", "num_grades": 5}
    known = _goal(two_runs(tmp_path / "options", "ordinal", metric=options))
    assert (known.metric, known.answer) == ("", grades.answer)


def _goal(problem: Problem) -> Goal:
    chosen = choose_members(problem, ["a", "b"], blend="both")
    return pool_of(problem, chosen, takes_votes=False).scorer.goal()


def test_where_blends_differ_the_other_rows_scores_are_kept_for_each_fold(tmp_path: Path) -> None:
    problem = unlike_in_fold_0(tmp_path)
    blended(problem, method="greedy")
    run = problem.home.run("both")
    kept = predictions_file.read(run.without(1))
    per_fold = read_json(run.record)["gain"]["weights_per_fold"]["1"]
    assert set(kept.folds.tolist()) == {0, 2}
    expected = sum(per_fold[name] * scores_of(problem, name) for name in ("a", "b"))
    at = np.searchsorted(problem.train.ids, kept.ids)
    np.testing.assert_allclose(kept.scores, expected[at])
    run.without(1).unlink()
    blended(problem, method="greedy")
    assert run.without(1).exists()
    blended(problem, method={"name": "mean", "comparable": False})
    assert run.every_without == []
    assert read_json(run.record)["without"] == []


def test_members_of_a_blend_say_how_they_were_made(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a", model={"name": "resnet18"})
    write_run(problem, "b", seed=1)
    write_run(problem, "a/reference", kind="reference", seed=5)
    record = blended(problem, members=["a", "b", "a/reference"])
    made = [(member["formulation"], member["backbone"]) for member in record["members"]]
    default = problem.task.default_formulation
    assert made == [(default, "resnet18"), (default, "small_cnn"), (None, None)]
    assert len(record["diversity"]["correlation"]) == 3


def test_refitting_on_resamples_gives_intervals_that_cover_the_fitting(tmp_path: Path) -> None:
    problem = two_runs(tmp_path)
    record = blended(problem, method="greedy", refit=200)
    covers = "120 rows resampled and blends refitted, 200 times"
    assert record["gain"]["over_best"]["covers"] == record["gain"]["over_mean"]["covers"] == covers
    assert record["refit"] == 200
    again = blended(problem, method="greedy")
    assert again["gain"]["over_best"]["covers"] == "120 rows resampled, 30 times"
    with pytest.raises(ConfigError, match="refit: found 199 resamples, wanted 0 or at least 200"):
        blended(problem, refit=199)


def test_members_gains_notes_and_verdict_are_printed_without_a_negative_zero(
    tmp_path: Path,
) -> None:
    problem = two_runs(tmp_path)
    write_run(problem, "weak", noise=6.0, seed=3)
    out = io.StringIO()
    console = Console(file=out, width=200, color_system=None)
    blend(
        problem.home, "both", method="greedy", members=["a", "b", "weak"], problem=problem,
        display=Display(console=console),
    )  # fmt: skip
    text = out.getvalue()
    for words in ("weight", "accuracy alone", "lost without it", "adds cross-fitted"):
        assert words in text
    assert re.search(r"over the best member \([ab]\): [+-]0\.\d{4} naive, [+-]0\.\d{4} \(", text)
    assert re.search(r"over the plain mean of all members: .* cross-fitted", text)
    assert "95 % intervals in brackets: 120 rows resampled, 30 times" in text
    assert "verdict: " in text
    assert "-0.0000" not in text


def test_gains_in_words() -> None:
    def gain(naive: float, cross: float | None, *ends: float) -> dict[str, Any]:
        low, high = ends or (None, None)
        covers = "90 rows" if ends else None
        return {"naive": naive, "cross_fitted": cross, "low": low, "high": high, "covers": covers}

    weights = {"a": 0.75, "b": 0.25}
    over = {"over_best": gain(0.02, 0.01, -0.00001, 0.03), "over_mean": gain(-0.00001, 0.0, 0, 0)}
    record = {
        "method": "greedy",
        "gain": {**over, "best_member": "a", "weights": weights, "verdict": "undecided"},
    }
    assert gain_lines(record) == [
        "over the best member (a): +0.0200 naive, +0.0100 (+0.0000 to +0.0300) cross-fitted",
        "over the plain mean of all members: +0.0000 naive, +0.0000 (+0.0000 to +0.0000) "
        "cross-fitted",
        "95 % intervals in brackets: 90 rows",
    ]
    record["method"], record["gain"]["weights"] = "mean", {"a": 0.5, "b": 0.5}
    assert len(gain_lines(record)) == 2
    record["gain"]["over_best"] = gain(0.02, 0.01)
    assert gain_lines(record)[1] == "too few rows or groups for an interval"
    record["gain"]["over_best"] = gain(0.02, None)
    assert gain_lines(record)[:2] == [
        "over the best member (a): +0.0200 naive",
        "one fold is too few to cross-fit",
    ]
