from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.plan import Plan
from foldwise.config.writing import write_yaml
from foldwise.data.cache_writing import write_blocks
from foldwise.data.spec import THUMB
from foldwise.decide import Decision
from foldwise.errors import DataError, RunError
from foldwise.home import Home
from foldwise.publish import publish_json, publish_text
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.stages.evaluate import evaluate
from foldwise.stages.scoring.learning import name_fit
from foldwise.tasks.problem import Problem, open_problem

from .small_competition import QUIET, make_problem, write_run, write_scores

TASKS = ("multiclass", "ordinal", "multilabel", "regression")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Task → (problem, scores of run `a`), each evaluated once."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
        patch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)
        for task in TASKS:
            problem = make_problem(tmp_path_factory.mktemp(task), task)
            write_run(problem, "a")
            found[task] = problem, scored(problem, "a")
    return found


def scored(problem: Problem, name: str) -> dict[str, Any]:
    return evaluate(problem.home, name, problem=problem, display=QUIET)


def oof(problem: Problem, name: str = "a") -> np.ndarray:
    found = predictions_file.read(problem.home.run(name).oof)
    return found.align(problem.train.ids, name=name).scores


@pytest.mark.parametrize("task", TASKS)
def test_score_matches_scikit_learn(evaluated: dict[str, Any], task: str) -> None:
    problem, scores = evaluated[task]
    truth, found = problem.target, oof(problem)
    expected = {
        "multiclass": lambda: oracle.accuracy_score(truth, found.argmax(1)),
        "ordinal": lambda: oracle.cohen_kappa_score(
            truth, np.floor(found[:, 0] + 0.5).astype(int), weights="quadratic"
        ),
        "multilabel": lambda: oracle.average_precision_score(truth, found),
        "regression": lambda: oracle.root_mean_squared_error(truth, found[:, 0]),
    }[task]()
    assert scores["score"] == pytest.approx(expected)
    assert scores["interval"]["low"] < scores["score"] < scores["interval"]["high"]


@pytest.mark.parametrize("task", TASKS)
def test_what_is_written_is_what_comes_back_and_plain_json(
    evaluated: dict[str, Any], task: str
) -> None:
    problem, scores = evaluated[task]

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    text = problem.home.run("a").scores.read_text("utf-8")
    assert json.loads(text, parse_constant=refuse) == scores
    decision = json.loads(problem.home.run("a").decision.read_text("utf-8"))
    assert Decision.from_json(decision) == problem.default_decision()


@pytest.mark.parametrize("task", TASKS)
def test_folds_pool_to_all_rows_and_their_mean_stands_beside(
    evaluated: dict[str, Any], task: str
) -> None:
    _, scores = evaluated[task]
    assert [fold["rows"] for fold in scores["folds"]] == [40, 40, 40]
    values = [fold["score"] for fold in scores["folds"]]
    assert scores["fold_mean"] == pytest.approx(np.mean(values))
    assert scores["present_folds"] == [0, 1, 2]
    assert scores["complete"]
    for fold in scores["folds"]:
        low, high = fold["expected"]
        assert low <= high


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_of_the_task_is_in_the_table(evaluated: dict[str, Any], task: str) -> None:
    problem, scores = evaluated[task]
    named = {row["name"] for row in scores["more_metrics"]} | {scores["metric"]["name"]}
    assert named >= set(problem.task.metrics)
    assert all(row["score"] is not None for row in scores["more_metrics"])


@pytest.mark.parametrize("task", TASKS)
def test_simple_references_are_there_and_beaten_by_a_good_run(
    evaluated: dict[str, Any], task: str
) -> None:
    _, scores = evaluated[task]
    assert [reference["name"] for reference in scores["references"]] == [
        "majority",
        "nearest_thumbnail",
    ]
    for reference in scores["references"]:
        assert reference["verdict"] == "gain"
        assert reference["gain"]["num_rows"] == 120


def test_confusion_and_class_table_match_scikit_learn(evaluated: dict[str, Any]) -> None:
    problem, scores = evaluated["multiclass"]
    answers = oof(problem).argmax(1)
    assert (
        scores["confusion"]["counts"] == oracle.confusion_matrix(problem.target, answers).tolist()
    )
    precision, recall, f1, support = oracle.precision_recall_fscore_support(problem.target, answers)
    for index, row in enumerate(scores["by_class"]):
        assert row["precision"] == pytest.approx(precision[index])
        assert row["recall"] == pytest.approx(recall[index])
        assert row["f1"] == pytest.approx(f1[index])
        assert row["rows"] == support[index]


def test_curve_is_short_and_holds_the_ends(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multilabel", num_train=900, thumbs=False)
    write_run(problem, "a", noise=0.4)
    for index, curve in enumerate(scored(problem, "a")["curves"]):
        assert 50 < len(curve["recall"]) <= 200
        assert curve["recall"][-1] == 1.0
        area = np.sum(np.diff([0.0, *curve["recall"]]) * curve["precision"])
        exact = oracle.average_precision_score(problem.target[:, index], oof(problem)[:, index])
        assert area == pytest.approx(exact, abs=0.02)


def test_worst_samples_come_first_and_well_predicted_ones_are_right(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    scores = problem.one_hot * 0.9 + 0.1 / 3
    scores[17] = np.roll(scores[17], 1)
    run = RunDir(problem.home.runs / "a")
    write_scores(problem, run, problem.train.ids, scores, problem.folds, scores[:30])
    found = scored(problem, "a")
    worst = found["worst"][0]
    classes = problem.competition.classes
    assert worst["id"] == problem.train.ids[17]
    assert worst["fold"] == problem.folds[17]
    assert worst["label"] == classes[problem.target[17]]
    assert worst["answer"] == classes[(problem.target[17] + 1) % 3]
    assert len(found["worst"]) == 20
    assert len(found["well"]) == 8
    assert all(row["label"] == row["answer"] for row in found["well"])


def test_groups_are_resampled_and_the_worst_named(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", group_size=4, thumbs=False)
    scores = problem.one_hot.copy()
    scores[8:12] = np.roll(scores[8:12], 1, axis=1)
    run = RunDir(problem.home.runs / "a")
    write_scores(problem, run, problem.train.ids, scores, problem.folds, scores[:30])
    found = scored(problem, "a")
    assert "30 groups resampled" in found["interval_note"]
    assert found["by_group"]["columns"] == ["track"]
    assert len(found["by_group"]["groups"]) == 20
    assert found["by_group"]["groups"][0] == {
        "group": "track2",
        "rows": 4,
        "score": 0.0,
        "distance": 2.0,
    }


def test_few_groups_get_values_each_and_no_interval(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", group_size=10, thumbs=False)
    write_run(problem, "a")
    found = scored(problem, "a")
    assert found["interval"] is None
    assert "12 groups are fewer than 20" in found["interval_note"]
    assert len(found["by_group"]["groups"]) == 12
    assert all(fold["expected"] is None for fold in found["folds"])


def test_test_mix_makes_the_headline_and_the_train_mix_stands_beside(tmp_path: Path) -> None:
    problem = make_problem(
        tmp_path, "multiclass", test_prior={"ape": 0.7, "bear": 0.2, "cow": 0.1}, thumbs=False
    )
    write_run(problem, "a", noise=0.8)
    found = scored(problem, "a")
    answers = problem.default_decision().answers(oof(problem))
    right = answers == problem.target
    by_class = [right[problem.target == c].mean() for c in range(3)]
    assert found["score"] == pytest.approx(np.dot([0.7, 0.2, 0.1], by_class))
    assert found["prior"]["test_mix"] == found["score"]
    assert found["prior"]["train_mix"] == pytest.approx(right.mean())
    assert found["score"] != pytest.approx(right.mean())
    metrics = {row["name"]: row for row in found["more_metrics"]}
    assert metrics["macro_f1"]["train_mix"] == pytest.approx(
        oracle.f1_score(problem.target, answers, average="macro")
    )


@pytest.mark.parametrize(
    ("recipe", "got", "words"),
    [
        ({}, "cross-fitted", "fixed schedule"),
        ({"train": {"stop": "inner"}}, "cross-fitted", "slice of the training rows"),
        ({"train": {"stop": "cross"}}, "cross-fitted", "other folds' curves"),
        ({"train": {"stop": "validation"}}, "optimistic", "held-out fold itself"),
        ({"freeze": "backbone", "train": {"epochs": 0}}, "cross-fitted", "frozen features"),
    ],
)
def test_a_score_says_how_it_was_got(
    tmp_path: Path, recipe: dict[str, Any], got: str, words: str
) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    write_run(problem, "a", **recipe)
    found = scored(problem, "a")
    assert found["how"]["got"] == got
    assert words in found["how"]["sentence"]
    assert any("optimistic" in text for text in found["warnings"]) == (got == "optimistic")


def test_a_run_without_all_folds_says_which_are_missing(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    write_run(problem, "a", folds=(0, 2))
    found = scored(problem, "a")
    assert (found["present_folds"], found["missing_folds"]) == ([0, 2], [1])
    assert not found["complete"]
    assert found["num_rows"] == 80
    assert any("fold 1 not done" in text for text in found["warnings"])


def test_a_fold_that_falls_out_of_line_is_called_out(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", num_train=300, thumbs=False)
    write_run(problem, "a", noise=0.2)
    calm = scored(problem, "a")
    found = predictions_file.read(problem.home.run("a").oof)
    broken = np.where(found.folds[:, None] == 1, np.roll(found.scores, 1, axis=1), found.scores)
    predictions_file.write(problem.home.run("a").oof, found.with_scores(broken))
    alarmed = scored(problem, "a")
    assert not any("lead one to expect" in text for text in calm["warnings"])
    assert any(text.startswith("fold 1 scores 0.0") for text in alarmed["warnings"])


def test_fine_tuning_below_its_own_frozen_head_is_named(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    write_run(problem, "a", noise=1.0)
    write_run(problem, "a/reference", noise=0.1, kind="reference")
    found = scored(problem, "a")
    frozen = found["references"][-1]
    assert frozen["run"] == "a/reference"
    assert frozen["verdict"] == "loss"
    assert frozen["gain"]["point"] == pytest.approx(found["score"] - frozen["score"])
    assert any("ended below its own frozen reference" in text for text in found["warnings"])
    reference = scored(problem, "a/reference")
    assert reference["run"] == "a/reference"
    assert [r["name"] for r in reference["references"]] == ["majority"]


def test_the_best_frozen_head_of_the_plan_is_the_reference_and_each_is_shown(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, "ordinal", thumbs=False)
    recipes: dict[str, dict[str, Any]] = {"a": {}, "f": {}, "g": {}}
    write_yaml(problem.home.plan, Plan(recipes=recipes), overwrite=True)
    write_run(problem, "a", noise=0.8)
    write_run(problem, "f", noise=3.0, freeze="backbone")
    alone = scored(problem, "a")["references"][-1]
    assert (alone["name"], alone["run"]) == ("frozen", "f")
    write_run(problem, "g", noise=0.1, seed=1, freeze="backbone")
    found = scored(problem, "a")
    one = {r["run"]: r for r in found["references"] if r["name"] == "one_frozen"}
    best = found["references"][-1]
    assert list(one) == ["f", "g"]
    assert best["run"] == "g"
    assert "chosen on the other folds" in best["label"]
    assert best["score"] == one["g"]["score"]
    assert best["gain"]["point"] < 0 < one["f"]["gain"]["point"]
    below = [text for text in found["warnings"] if "below the frozen" in text]
    assert len(below) == 1
    assert below[0].startswith("it scores below the frozen reference g by ")
    assert [r["name"] for r in scored(problem, "f")["references"]] == ["majority"]


def test_of_frozen_heads_alike_each_fold_gets_the_one_that_is_best_on_the_others(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    write_yaml(problem.home.plan, Plan(recipes={"a": {}, "f": {}, "g": {}}), overwrite=True)
    write_run(problem, "a", noise=0.1)
    truth = problem.one_hot
    for name, bad in (("f", 0), ("g", 1)):
        off = np.where((problem.folds == bad)[:, None], 3.0, 0.1)
        run = write_run(problem, name, freeze="backbone")
        scores = predictions_file.read(run.oof)
        predictions_file.write(run.oof, scores.with_scores(truth + off))
    found = scored(problem, "a")["references"]
    # Each looks best just where its own bad fold is left out, so both bad folds count.
    assert found[-1]["run"] is None
    one = [r["score"] for r in found if r["name"] == "one_frozen"]
    assert one[0] == pytest.approx(one[1])
    assert found[-1]["score"] > one[0] + 0.5


def test_a_run_below_the_majority_is_named(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    rng = np.random.default_rng(0)
    wild = rng.normal(40, 60, (120, 1))
    run = RunDir(problem.home.runs / "a")
    write_scores(problem, run, problem.train.ids, wild, problem.folds, wild[:30])
    found = scored(problem, "a")
    assert any("far below the reference 'always the mean" in text for text in found["warnings"])


def test_simple_references_are_computed_once_for_all_runs(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass")
    for name in ("a", "b"):
        write_run(problem, name)
    scored(problem, "a")
    files = sorted((problem.home.runs / ".references").glob("*.parquet"))
    times = [file.stat().st_mtime_ns for file in files]
    scored(problem, "b")
    assert [file.name.split("-")[0] for file in files] == ["majority", "nearest_thumbnail"]
    assert [file.stat().st_mtime_ns for file in files] == times


def test_references_are_probabilities_in_spite_of_rounding(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, num_train=300, test_prior="balanced", thumbs=False)
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 200, (3, 32, 32, 3))
    shown = looks[np.append(problem.target, rng.integers(0, 3, 30))]
    images = shown + rng.integers(0, 30, shown.shape)
    hashes = problem.samples.hashes
    write_blocks(problem.home.cache, THUMB, zip(hashes, images.astype(np.uint8), strict=True))
    write_run(problem, "a")
    nearest = scored(problem, "a")["references"][1]
    assert (nearest["name"], nearest["score"]) == ("nearest_thumbnail", 1.0)
    for file in (problem.home.runs / ".references").glob("*.parquet"):
        found = predictions_file.read(file).scores
        assert found.min() >= 0
        assert found.max() <= 1


def test_majority_scores_each_fold_by_the_others(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    write_run(problem, "a")
    scored(problem, "a")
    file = next((problem.home.runs / ".references").glob("majority-*.parquet"))
    found = predictions_file.read(file).align(problem.train.ids, name="majority")
    for fold in range(3):
        inside = problem.folds == fold
        assert found.scores[inside, 0] == pytest.approx(problem.target[~inside].mean())


def test_up_to_date_scores_are_kept_and_another_metric_makes_new_ones(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    run = write_run(problem, "a")
    first = scored(problem, "a")
    written = run.scores.stat().st_mtime_ns
    assert scored(problem, "a") == first
    assert run.scores.stat().st_mtime_ns == written
    text = problem.home.competition.read_text("utf-8")
    publish_text(problem.home.competition, text.replace("metric: accuracy", "metric: macro_f1"))
    again = scored(open_problem(problem.home), "a")
    assert again["metric"]["name"] == "macro_f1"


def test_thumbnails_that_come_later_complete_the_references(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    write_run(problem, "a")
    assert len(scored(problem, "a")["references"]) == 1
    with_thumbs = make_problem(tmp_path / "again", "multiclass")
    with_thumbs.home.cache.rename(problem.home.cache)
    assert len(scored(problem, "a")["references"]) == 2


def test_another_fold_than_in_folds_csv_is_refused_with_both(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    run = write_run(problem, "a")
    found = predictions_file.read(run.oof)
    predictions_file.write(run.oof, replace(found, folds=(found.folds + 1) % 3))
    with pytest.raises(RunError, match=r"120 of 120 rows .*t0000 \(1, here 0\)"):
        scored(problem, "a")


def test_rows_that_are_no_train_rows_are_refused(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    run = write_run(problem, "a")
    found = predictions_file.read(run.oof)
    strange = found.ids.copy()
    strange[3] = "gone"
    predictions_file.write(run.oof, replace(found, ids=strange))
    with pytest.raises(RunError, match="1 of 120 out-of-fold ids are no train rows, such as gone"):
        scored(problem, "a")


def test_scores_that_are_not_finite_are_refused_with_their_ids(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    run = write_run(problem, "a")
    found = predictions_file.read(run.oof)
    found.scores[5] = np.nan
    predictions_file.write(run.oof, found)
    with pytest.raises(DataError, match="1 of 120 rows are NaN or infinite, such as t0005"):
        scored(problem, "a")


def test_no_such_run_is_said(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    with pytest.raises(RunError, match="there is no run 'zz'"):
        scored(problem, "zz")


def test_guesses_nobody_confirmed_damaged_images_and_empty_classes_are_told(
    tmp_path: Path,
) -> None:
    problem = make_problem(
        tmp_path,
        "multiclass",
        thumbs=False,
        classes=["ape", "bear", "cow", "yak"],
        undecided=["metric: accuracy, no README names one"],
    )
    frame = samples_file.read(problem.home.samples).frame
    frame.loc[frame["id"] == "x0003", "damaged"] = "truncated"
    samples_file.write(problem.home.samples, Samples(frame))
    problem = open_problem(problem.home)
    write_run(problem, "a")
    found = scored(problem, "a")
    assert found["undecided"] == ["metric: accuracy, no README names one"]
    assert any("1 damaged images are not scored, 1 of them in test" in t for t in found["warnings"])
    assert any(text.endswith("not scored: yak") for text in found["warnings"])
    assert found["by_class"][3]["recall"] is None


def test_test_scores_that_hardly_differ_are_called_out(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    write_run(problem, "a")
    calm = scored(problem, "a")
    test = predictions_file.read(problem.home.run("a").test)
    flat = test.with_scores(test.scores * 0.1)
    predictions_file.write(problem.home.run("a").test, flat)
    found = scored(problem, "a")
    assert found["spread"]["ratio"] == pytest.approx(calm["spread"]["ratio"] * 0.1)
    assert not any("spread out" in text for text in calm["warnings"])
    assert any("less spread out" in text for text in found["warnings"])


def test_an_undefined_metric_is_said_and_not_fatal(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", metric="roc_auc", thumbs=False)
    run = write_run(problem, "a")
    found = predictions_file.read(run.oof)
    one_class = np.flatnonzero(problem.target == 0)
    predictions_file.write(run.oof, found.take(one_class))
    scores = scored(problem, "a")
    assert scores["score"] is None
    assert any("undefined" in text for text in scores["warnings"])


@pytest.mark.parametrize(
    ("train", "valid", "verdict"),
    [
        ([1.0, 0.6, 0.3, 0.1], [1.0, 0.8, 0.9, 1.2], "overfitting"),
        ([1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 0.8, 0.7], "underfitting"),
        ([1.0, 0.5, 0.45, 0.44], [1.0, 0.6, 0.59, 0.59], "neither"),
        ([1.0, 0.5], [1.0, 0.6], "unknown"),
    ],
)
def test_fit_is_named_from_the_curves(train: list[float], valid: list[float], verdict: str) -> None:
    assert name_fit(train, valid)[0] == verdict


def test_learning_curves_of_all_units_are_read(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    run = write_run(problem, "a")
    for fold in range(2):
        lines = ["epoch,lr,train_loss,valid_loss,valid_score"]
        losses = [(1.0, 1.0), (0.5, 0.7), (0.2, 0.9), (0.1, 1.3)]
        lines += [f"{n},0.1,{a},{b}," for n, (a, b) in enumerate(losses, start=1)]
        publish_text(run.unit(fold, 0).history, "\n".join(lines) + "\n")
    found = scored(problem, "a")["learning"]
    assert [(unit["fold"], unit["seed"]) for unit in found["units"]] == [(0, 0), (1, 0)]
    assert found["units"][0]["rows"][1]["valid_loss"] == 0.7
    assert found["units"][0]["rows"][1]["valid_score"] is None
    assert found["verdict"] == "overfitting"
    assert "after epoch 2 of 4" in found["sentence"]


def test_a_refit_is_said_to_have_no_score_of_its_own(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    run = write_run(problem, "a", refit="all")
    publish_json(run.path / "merged.json", {"fold0-seed0": {}, "all-seed0": {}})
    assert "no out-of-fold score of its own" in scored(problem, "a")["how"]["sentence"]


def test_scoring_stages_do_not_import_torch() -> None:
    code = (
        "import sys, foldwise.stages.evaluate, foldwise.stages.blend, foldwise.stages.submit;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_home_can_be_given_by_path_alone(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    write_run(problem, "a")
    assert evaluate(Home(tmp_path), "a", display=QUIET)["run"] == "a"
