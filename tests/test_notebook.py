from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foldwise
from foldwise import Truth, blend, compare, load_run, pick
from foldwise.errors import DataError, FoldwiseError, RunError
from foldwise.home import find_home

from .stages.small_competition import make_problem, write_run

NUM = 120


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 50)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)
    monkeypatch.setattr("foldwise.stages.pick.RESAMPLES", 50)


def truth(**changes: Any) -> Truth:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"r{row}" for row in range(NUM)],
            "grade": rng.integers(0, 4, NUM),
            "fold": np.arange(NUM) % 4,
            "patient": np.arange(NUM) % (NUM // 2),
        }
    )
    return Truth(frame, target="grade", metric="qwk", task="ordinal", **changes)


def scores(seed: int, noise: float = 0.6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Out-of-fold and test scores, in another order than the truth."""
    rng = np.random.default_rng(seed)
    known = truth().frame
    values = np.clip(known["grade"] + noise * rng.normal(size=NUM), 0, 3)
    oof = known[["id", "fold"]].assign(grade=values).sample(frac=1, random_state=seed)
    test = pd.DataFrame({"id": [f"t{row}" for row in range(40)], "grade": rng.random(40) * 3})
    return oof, test


def test_importing_foldwise_reads_neither_tables_nor_metrics() -> None:
    code = "import sys, foldwise; sys.exit('pandas' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert set(foldwise.__all__) >= {"Truth", "blend", "compare", "load_run", "pick"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        foldwise.nothing  # noqa: B018


def test_a_run_folder_comes_as_tables(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    found = load_run(write_run(problem, "a").path)
    assert list(found.oof.columns) == ["id", "ape", "bear", "cow", "fold"]
    assert list(found.test.columns) == ["id", "ape", "bear", "cow"]
    assert (found.name, found.scores) == ("a", None)
    with pytest.raises(RunError, match="no run 'z'"):
        load_run(problem.home.runs / "z")


def test_runs_in_a_competition_are_blended_into_it(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    runs = [write_run(problem, name, seed=seed).path for seed, name in enumerate("ab")]
    found = blend(runs, method="greedy", name="both")
    assert sum(found.weights.values()) == pytest.approx(1)
    assert problem.home.run("both").oof.exists()
    assert len(found.test) == len(problem.test)
    assert "cross-fitted" in str(found)
    assert found._repr_html_().startswith("<pre>")


def test_tables_are_aligned_by_id_and_blended_without_any_folder() -> None:
    a, b = scores(1), scores(2)
    found = blend({"a": a, "b": b}, truth())
    aligned = [part[0].set_index("id")["grade"] for part in (a, b)]
    expected = (aligned[0] + aligned[1]) / 2
    blended = found.oof.set_index("id")["grade"]
    np.testing.assert_allclose(blended, expected[blended.index])
    assert found.facts["gain"]["over_best"]["cross_fitted"] > 0
    assert len(found.test) == 40


def test_tables_without_test_rows_will_do_for_a_blend() -> None:
    found = blend({"a": scores(1)[0], "b": scores(2)[0]}, truth(group="patient"))
    assert len(found.test) == 0
    assert "groups resampled" in str(found)


def test_tables_without_folds_make_the_blend_optimistic(tmp_path: Path) -> None:
    a, b = scores(1), scores(2)
    blend({"a": a, "b": b}, truth(), folder=tmp_path / "told")
    blend({"a": a[0].drop(columns="fold"), "b": b[0]}, truth(), folder=tmp_path / "untold")
    found = [load_run(tmp_path / name / "runs" / "blend").scores for name in ("told", "untold")]
    assert [each["how"]["got"] for each in found if each] == ["cross-fitted", "optimistic"]


def test_no_candidates_are_picked_that_nobody_says_were_held_out() -> None:
    tables = {
        name: (scores(seed)[0].drop(columns="fold"), scores(seed)[1])
        for seed, name in enumerate("ab")
    }
    with pytest.raises(RunError, match="nobody says which fold a row was held out in"):
        pick(tables, truth())


def test_the_competition_made_of_tables_can_be_kept(tmp_path: Path) -> None:
    blend({"a": scores(1), "b": scores(2)}, truth(), folder=tmp_path / "kept")
    home = find_home(tmp_path / "kept")
    assert home.run_names() == ["a", "b", "blend"]
    assert load_run(home.run("a").path).scores is not None


def test_runs_are_compared_as_tables_and_as_folders(tmp_path: Path) -> None:
    told = compare({"good": scores(1, 0.2), "bad": scores(2, 1.5)}, truth())
    assert "good" in str(told)
    problem = make_problem(tmp_path, thumbs=False)
    runs = [write_run(problem, name, seed=seed).path for seed, name in enumerate("ab")]
    assert compare(runs).facts["num_rows"] == 120


def test_picks_among_tables_heed_public_scores() -> None:
    tables = {name: scores(seed) for seed, name in enumerate("abc")}
    told = pick(tables, truth(), num=2, public={"a": 0.4, "b": 0.8})
    assert len(told.facts["picks"]) == 2
    known = {each["name"]: each["public"] for each in told.facts["candidates"]}
    assert known == {"a": 0.4, "b": 0.8, "c": None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {"a": t[0]}, "patient"),
        (lambda t: {"a": t[0].drop(columns="grade")}, "no column 'grade'"),
        (lambda t: {"a": t[0].assign(grade=np.nan)}, "r[0-9]+ holds nan, wanted a finite number"),
        (lambda t: {"a": pd.concat([t[0], t[0].iloc[:1]])}, "more than once"),
        (lambda t: {"a": t[0].assign(id="r1000" + t[0]["id"])}, "no rows of the truth"),
        (lambda t: {"a": t[0].assign(fold=3)}, "another fold"),
        (lambda t: {"a": t[0].assign(grade="x")}, "holds x, wanted a finite number"),
        (lambda t: {"a": t[0].assign(fold=np.nan)}, "a .out-of-fold.: column 'fold' of row r"),
        (lambda t: {"a": (t[0], t[1].drop(columns="id"))}, r"a \(test\): no column 'id'"),
        (lambda t: {"a": t[0].assign(grade=4)}, r"wanted grades counted from 0 in \[0, 3\]"),
        (lambda t: {"a": t[0].assign(id=None)}, r"a \(out-of-fold\): 120 of 120 ids are missing"),
        (lambda t: {"a": (t[0], t[1].assign(id=np.nan))}, r"a \(test\): 40 of 40 ids are missing"),
        (lambda t: {"a": (t[0], t[1], t[1])}, "a: found DataFrame, DataFrame, DataFrame, wanted"),
        (lambda t: {"a": "oof.csv"}, "a: found str, wanted a data frame"),
        (lambda t: {1: t}, "1 cannot be the name of a table"),
        (lambda t: {"a.csv": t}, "'a.csv' cannot be the name of a table"),
    ],
)
def test_wrong_tables_are_refused_with_their_name(change: Any, said: str) -> None:
    wrong = truth(group="patients") if said == "patient" else truth()
    with pytest.raises(FoldwiseError, match=said):
        blend({**change(scores(1)), "b": scores(2)[0]}, wrong)


def test_a_truth_that_cannot_be_is_refused() -> None:
    tables = {"a": scores(1), "b": scores(2)}
    for frame, said in (
        (truth().frame.drop(columns="fold"), "no column 'fold'"),
        (truth().frame.assign(fold=0.5), "row r0 holds 0.5, wanted a whole number"),
        (truth().frame.assign(id="r1"), "more than once"),
        (truth().frame.assign(id=np.nan), "120 of 120 ids are missing"),
        (truth().frame.assign(grade=np.nan), "120 of 120 rows have no 'grade', such as r0"),
    ):
        with pytest.raises(DataError, match=said):
            blend(tables, Truth(frame, target="grade", metric="qwk", task="ordinal"))
    with pytest.raises(FoldwiseError, match="multiclas"):
        blend(tables, Truth(truth().frame, target="grade", metric="qwk", task="multiclas"))
    with pytest.raises(RunError, match="truth=Truth"):
        blend(tables)
    with pytest.raises(RunError, match="wanted Truth"):
        blend(tables, Truth("truth.csv", target="grade", metric="qwk", task="ordinal"))
    with pytest.raises(RunError, match="found no table of scores"):
        blend({}, truth())


@pytest.mark.parametrize("task", ["ordinal", "regression"])
def test_one_fold_for_all_rows_is_blended_naively(task: str) -> None:
    metric = "qwk" if task == "ordinal" else "rmse"
    whole = Truth(truth().frame.assign(fold=0), target="grade", metric=metric, task=task)
    tables = {name: scores(seed)[0].assign(fold=0) for seed, name in enumerate("ab")}
    found = blend(tables, whole)
    assert found.facts["gain"]["over_best"]["cross_fitted"] is None


def test_classes_may_be_numbered_columns() -> None:
    drawn = np.random.default_rng(0).dirichlet([1] * 4, NUM)
    table = pd.concat([truth().frame[["id", "fold"]], pd.DataFrame(drawn)], axis=1)
    found = blend(
        {"a": table, "b": table.assign(**{"x": 0})},
        Truth(truth().frame, target="grade", metric="accuracy", task="multiclass"),
    )
    assert list(found.oof.columns) == ["id", "0", "1", "2", "3", "fold"]


@pytest.mark.parametrize("num", [1, 3])
def test_as_many_tables_are_picked_as_are_asked_for(num: int) -> None:
    told = pick({name: scores(seed) for seed, name in enumerate("abc")}, truth(), num=num)
    assert len(told.facts["picks"]) == num


def test_options_of_the_verbs_are_those_of_the_functions() -> None:
    tables = {"a": scores(1), "b": scores(2)}
    found = blend(tables, truth(), method="greedy", refit=200)
    assert "blends refitted, 200 times" in found.facts["gain"]["over_best"]["covers"]
    assert compare(tables, truth(), level=0.9).facts["level"] == 0.9


def test_later_calls_name_runs_by_the_folders_that_were_kept(tmp_path: Path) -> None:
    blend({"a": scores(1), "b": scores(2)}, truth(), folder=tmp_path / "kept")
    runs = [tmp_path / "kept" / "runs" / name for name in ("a", "blend")]
    assert compare(runs).facts["num_rows"] == NUM
    assert len(pick(tmp_path / "kept").facts["picks"]) == 2


def test_runs_of_two_competitions_are_not_mixed(tmp_path: Path) -> None:
    runs = [
        write_run(make_problem(tmp_path / name, thumbs=False), "a").path for name in ("one", "two")
    ]
    with pytest.raises(RunError, match="runs of 2 competitions"):
        blend(runs)
    with pytest.raises(RunError, match="truth: only for tables"):
        blend(runs[:1], truth())
