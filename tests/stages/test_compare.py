"""Whole comparisons on small competitions: what is said, what is refused, what is left alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from foldwise import predictions as predictions_file
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend
from foldwise.stages.compare import compare
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import QUIET, make_problem, noisy, write_run

TASKS = ("multiclass", "ordinal", "multilabel", "regression")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)
    monkeypatch.setattr("foldwise.stages.comparing.one_seed.RESAMPLES", 100)


def seeded_run(
    problem: Problem,
    name: str,
    noises: list[float],
    *,
    first: int = 0,
    folds: Sequence[int] | None = None,
    **recipe: Any,
) -> RunDir:
    """A run of one seed for each noise, with units of all or some folds, merged."""
    run = write_run(problem, name, seed=first, **recipe)
    seeds = range(len(noises))
    folds = sorted(set(problem.folds.tolist())) if folds is None else folds
    rng = np.random.default_rng(first)
    oof = [noisy(problem, problem.one_hot, noise, rng) for noise in noises]
    merged = {}
    for seed in seeds:
        for fold in folds:
            rows, unit = problem.folds == fold, run.unit(fold, seed)
            found = Predictions(
                problem.train.ids[rows], oof[seed][rows], problem.columns, folds=problem.folds[rows]
            )
            predictions_file.write(unit.valid, found)
            merged[unit.name] = {"made": [fold, seed]}
            publish_json(unit.record, merged[unit.name])
    is_there = np.isin(problem.folds, folds)
    mean = Predictions(
        problem.train.ids[is_there],
        np.mean(oof, axis=0)[is_there],
        problem.columns,
        folds=problem.folds[is_there],
    )
    predictions_file.write(run.oof, mean)
    publish_json(run.path / "merged.json", merged)
    publish_json(run.record, {**run.read_record(), "seeds": list(seeds)})
    return run


def compared(problem: Problem, *names: str, **options: Any) -> dict[str, Any]:
    return compare(problem.home, names, problem=problem, display=QUIET, **options)


def only(found: dict[str, Any]) -> dict[str, Any]:
    (entry,) = found["against_first"]
    return dict(entry)


@pytest.mark.parametrize("task", TASKS)
def test_a_clearly_better_recipe_is_called_better_in_every_task(tmp_path: Path, task: str) -> None:
    problem = make_problem(tmp_path, task, thumbs=False)
    seeded_run(problem, "weak", [3.0, 3.1, 2.9, 3.0], first=1)
    seeded_run(problem, "good", [0.3, 0.31, 0.29, 0.3], first=2)
    entry = only(compared(problem, "weak", "good"))
    assert (entry["verdict"], entry["how"]) == ("better", "paired")
    assert entry["low"] > 0
    assert set(entry["per_seed"]) == {"0", "1", "2", "3"}
    assert all(value > 0 for value in entry["by_fold"].values())
    assert entry["rows"]["challenger_nearer"] > entry["rows"]["reference_nearer"]
    if task == "multiclass":  # An accuracy is the share of rows.
        rows, by_fold = entry["rows"], list(entry["by_fold"].values())
        net = (rows["challenger_nearer"] - rows["reference_nearer"]) / rows["num_rows"]
        assert (net, np.mean(by_fold)) == pytest.approx((entry["difference"],) * 2)
    back = only(compared(problem, "good", "weak"))
    assert back["verdict"] == "worse"
    assert back["difference"] == pytest.approx(-entry["difference"])


def test_one_seed_scores_are_those_of_each_seed_alone(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "regression", thumbs=False)
    run = seeded_run(problem, "a", [3.0, 4.0], first=1)
    seeded_run(problem, "b", [3.0, 4.0], first=2)
    found = compared(problem, "a", "b")
    alone = []
    for seed in (0, 1):
        parts = [predictions_file.read(run.unit(fold, seed).valid) for fold in range(3)]
        values = dict(
            zip(
                np.concatenate([part.ids for part in parts]),
                np.concatenate([part.scores[:, 0] for part in parts]),
                strict=True,
            )
        )
        errors = np.array([values[name] for name in problem.train.ids]) - problem.target
        alone.append(float(np.sqrt(np.mean(errors**2))))
    facts = found["runs"][0]
    assert list(facts["seeds"].values()) == pytest.approx(alone)
    assert facts["seed_sd"] == pytest.approx(np.std(alone, ddof=1))
    assert facts["score"] < min(alone)  # The mean of two seeds is better than either.
    entry = only(found)
    means = [np.mean(list(run["seeds"].values())) for run in found["runs"]]
    assert entry["difference"] == pytest.approx(means[0] - means[1])  # A lower error is better.
    assert entry["difference"] == pytest.approx(np.mean(list(entry["per_seed"].values())))


def test_equal_recipes_are_undecided_and_the_forecast_says_what_it_would_take(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    seeded_run(problem, "a", [0.6] * 3, first=1)
    seeded_run(problem, "b", [0.6] * 3, first=2)
    found = compared(problem, "a", "b")
    entry = only(found)
    assert entry["verdict"] == "undecided"
    assert entry["low"] < 0 < entry["high"]
    assert entry["forecast"]["reason"] in ("seeds", "samples", "too many seeds")
    assert entry["recipe_difference"] == []
    assert any("same recipe" in sentence for sentence in entry["sentences"])
    assert found["seed_noise"]["runs"] == ["a", "b"]


def test_one_seed_each_crowns_nobody_while_seed_noise_is_unknown(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "weak", noise=3.0, seed=1)
    write_run(problem, "good", noise=0.3, seed=2)
    found = compared(problem, "weak", "good")
    entry = only(found)
    assert (entry["verdict"], entry["p_value"]) == ("undecided", None)
    assert entry["low"] > 0
    assert entry["forecast"] == {"more": 1, "reason": "unknown"}
    assert any("seed noise is unknown" in sentence for sentence in entry["sentences"])
    assert found["seed_noise"] is None


def test_a_third_run_of_several_seeds_knows_the_noise_of_single_seeds(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "weak", noise=3.0, seed=1)
    write_run(problem, "good", noise=0.3, seed=2)
    seeded_run(problem, "base", [0.6] * 4, first=3)
    found = compared(problem, "weak", "good")
    entry = only(found)
    assert (entry["verdict"], entry["how"]) == ("better", "pooled")
    assert found["seed_noise"]["runs"] == ["base"]


def test_repeated_runs_that_lack_a_fold_or_are_stale_teach_no_noise_and_are_named(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a", seed=1)
    write_run(problem, "b", seed=2)
    base = seeded_run(problem, "base", [0.6] * 2, first=3)
    publish_json(base.unit(1, 0).record, {"made": "later"})
    found = compared(problem, "a", "b")
    assert found["seed_noise"] is None
    assert any("base: fold1-seed0 changed since" in note for note in found["notes"])


@pytest.mark.parametrize("other", ["blend", "reference", "outside"])
def test_what_has_no_seeds_is_compared_by_samples_only_and_it_is_said(
    tmp_path: Path, other: str
) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    seeded_run(problem, "weak", [3.0] * 2, first=1)
    good = write_run(problem, "good", noise=0.3, seed=2)
    write_run(problem, "good/reference", noise=0.3, seed=2, kind="reference")
    name = {"blend": "both", "reference": "good/reference"}.get(other, f"{good.oof},{good.test}")
    if other == "blend":
        blend(problem.home, "both", members=["good"], problem=problem, display=QUIET)
    entry = only(compared(problem, "weak", name))
    assert (entry["how"], entry["verdict"], entry["error_seeds"]) == ("samples", "better", None)
    assert any("covers samples only, as not both have seeds" in s for s in entry["sentences"])
    assert entry["recipe_difference"] is None
    # Folds of equal size: what is said of them is of the scores that were compared.
    assert np.mean(list(entry["by_fold"].values())) == pytest.approx(entry["difference"])


def test_recipes_that_differ_in_several_keys_are_warned_about_with_each_key(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    seeded_run(problem, "a", [0.6] * 2, first=1)
    seeded_run(problem, "b", [0.6] * 2, first=2, train={"lr": 0.01})
    changes = {"train": {"lr": 0.01, "epochs": 3, "workers": 5}}
    seeded_run(problem, "c", [0.6] * 2, first=3, **changes)
    first, second = compared(problem, "a", "b", "c")["against_first"]
    assert [line.split(":")[0] for line in first["recipe_difference"]] == ["train.lr"]
    assert first["warnings"] == []
    changed = [line.split(":")[0] for line in second["recipe_difference"]]
    assert changed == ["train.epochs", "train.lr"]  # Workers change nothing.
    assert second["warnings"] == [
        "a and c differ in 2 keys: the difference cannot be put down to one of them"
    ]


def test_of_several_runs_each_is_held_against_the_first_and_the_best_corrected(
    tmp_path: Path,
) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    for number, (name, noise) in enumerate({"a": 3.0, "b": 0.4, "c": 3.0}.items()):
        seeded_run(problem, name, [noise] * 3, first=number)
    found = compared(problem, "a", "b", "c")
    assert found["best"] == "b"
    assert [entry["challenger"] for entry in found["against_first"]] == ["b", "c"]
    assert [entry["verdict"] for entry in found["against_first"]] == ["better", "undecided"]
    assert [entry["verdict"] for entry in found["against_best"]] == ["worse", "worse"]
    for part in ("against_first", "against_best"):
        assert all(entry["p_corrected"] >= entry["p_value"] for entry in found[part])


def test_too_few_groups_give_no_interval_and_no_verdict(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False, group_size=10)
    seeded_run(problem, "a", [3.0] * 3, first=1)
    seeded_run(problem, "b", [0.3] * 3, first=2)
    entry = only(compared(problem, "a", "b"))
    assert (entry["low"], entry["verdict"]) == (None, "undecided")
    assert entry["forecast"]["reason"] == "units"


def test_only_folds_that_all_have_are_compared_and_it_is_said(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a", seed=1)
    write_run(problem, "b", seed=2, folds=(0, 1))
    found = compared(problem, "a", "b")
    assert (found["folds"], found["num_rows"]) == ([0, 1], 80)
    assert found["notes"] == ["a: fold 2 is not compared, since others lack it"]
    write_run(problem, "c", seed=2, folds=(2,))
    with pytest.raises(RunError, match="no complete fold in common") as caught:
        compared(problem, "b", "c")
    assert "c: has folds 2" in str(caught.value)


def test_what_is_wrong_with_the_runs_is_said_all_at_once(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a", seed=1)
    shifted = write_run(problem, "shifted", seed=2)
    found = predictions_file.read(shifted.oof)
    rows = Predictions(found.ids, found.scores, found.columns, folds=(found.folds + 1) % 3)
    predictions_file.write(shifted.oof, rows)
    unmerged = write_run(problem, "unmerged", seed=3)
    publish_json(unmerged.record, {**unmerged.read_record(), "seeds": [0, 1]})
    with pytest.raises(RunError) as caught:
        compared(problem, "a", "nobody", "shifted", "unmerged", "a")
    text = "\n".join(caught.value.problems)
    assert "there is no run 'nobody'" in text
    assert "shifted: 120 of 120 rows were held out in another fold" in text
    assert "unmerged: it has 2 seeds and was not merged" in text
    assert "a: is named twice" in text


@pytest.mark.parametrize("names", [(), ("a",)])
def test_fewer_than_two_runs_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a")
    with pytest.raises(RunError, match="wanted two or more"):
        compared(problem, *names)


def test_a_level_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    with pytest.raises(RunError, match="level 95"):
        compared(problem, "a", "b", level=95)


def test_nothing_is_written_and_all_is_shown(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    seeded_run(problem, "a", [0.6] * 3, first=1)
    seeded_run(problem, "b", [0.5] * 3, first=2, train={"lr": 0.01, "epochs": 3})
    seeded_run(problem, "c", [0.5] * 3, first=3)
    for name in "abc":
        evaluate(problem.home, name, problem=problem, display=QUIET)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    out = io.StringIO()
    show = Display(Console(file=out, width=160))
    compare(problem.home, ["a", "b", "c"], problem=problem, display=show)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    text = " ".join(out.getvalue().split())
    for words in (
        "against the first, a", "against the best", "corrected for several comparisons (Holm)",
        "choose the number of seeds first", "differ in 2 keys", "train.lr: ",
        "added by seeds", "has the nearer answer on",
    ):  # fmt: skip
        assert words in text
    assert read_json(problem.home.run("a").decision) is not None
