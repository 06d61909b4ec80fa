from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import DataError
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.joining.room import Truth, make_room, put_run
from foldwise.stages.joining.score_frames import frame_of
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem

from ..small_competition import QUIET

NUM = 60
CLASSES = ["ape", "bear", "cow"]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def truth(**columns: Any) -> Truth:
    labels = [CLASSES[row % 3] for row in range(NUM)]
    frame = pd.DataFrame(
        {"id": [f"r{row:02}" for row in range(NUM)], "label": labels, "fold": np.arange(NUM) // 20}
    )
    group = "group" if "group" in columns else None
    return Truth(frame.assign(**columns), "label", "accuracy", "multiclass", group=group)


def scores(seed: int, factor: float = 1.0) -> pd.DataFrame:
    """Out-of-fold probabilities times a factor."""
    drawn = np.random.default_rng(seed).dirichlet([1, 1, 1], NUM) * factor
    return truth().frame[["id", "fold"]].assign(**dict(zip(CLASSES, drawn.T, strict=True)))


def how(problem: Problem, run: RunDir) -> dict[str, Any]:
    found: dict[str, Any] = evaluate(problem.home, run.name, problem=problem, display=QUIET)["how"]
    return found


def test_a_table_is_cross_fitted_only_if_it_says_in_which_fold_rows_were_held_out(
    tmp_path: Path,
) -> None:
    problem = make_room(tmp_path / "room", truth())
    told = put_run(problem, "told", scores(1), None)
    assert how(problem, told)["got"] == "cross-fitted"
    untold = put_run(problem, "untold", scores(1).drop(columns="fold"), None)
    found = how(problem, untold)
    assert found["got"] == "optimistic"
    assert "nobody says which fold a row was held out in" in found["sentence"]
    assert [read_json(run.record)["has_folds"] for run in (told, untold)] == [True, False]
    kept = [predictions_file.read(run.oof) for run in (told, untold)]
    np.testing.assert_array_equal(kept[0].folds, kept[1].folds)


@pytest.mark.parametrize("has_folds", [True, False])
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_of_a_table_is_told_what_is_told_of_a_score_file(
    tmp_path: Path, factor: float, has_folds: bool
) -> None:
    problem = make_room(tmp_path / "room", truth())
    table = scores(1, factor) if has_folds else scores(1, factor).drop(columns="fold")
    write_csv(tmp_path / "oof.csv", table)
    write_csv(tmp_path / "test.csv", scores(1).iloc[:0].drop(columns="fold"))
    put_run(problem, "table", table, None)
    put_run(problem, "other", scores(2), None)
    found = []
    for name, member in (("one", "table"), ("two", f"{tmp_path}/oof.csv,test.csv")):
        record = blend(
            problem.home, name, members=[member, "other"], problem=problem, display=QUIET
        )
        notes = [note.partition(": ")[2] for note in record["members"][0]["notes"]]
        found.append((how(problem, problem.home.run(name))["got"], notes))
    assert found[0] == found[1]
    assert (found[0][0] == "cross-fitted") == has_folds
    assert ("not to 1" in str(found[0][1])) == (factor != 1)


def test_logits_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    problem = make_room(tmp_path / "room", truth())
    with pytest.raises(DataError, match=r"a \(out-of-fold\): found scores in .*\n.*a softmax"):
        put_run(problem, "a", scores(1, 4.0), None)
    test = scores(2, 4.0).drop(columns="fold")
    with pytest.raises(DataError, match=r"a \(test\): found scores in"):
        put_run(problem, "a", scores(1), test)
    assert problem.home.run_names() == []


def test_a_group_in_several_folds_is_refused_by_name(tmp_path: Path) -> None:
    group = [f"p{row // 10}" for row in range(NUM)]
    make_room(tmp_path / "whole", truth(group=group))
    group[25] = "p1"
    with pytest.raises(DataError, match=r"1 groups of column 'group'.* such as p1 in folds 0, 1"):
        make_room(tmp_path / "torn", truth(group=group))
    assert not (tmp_path / "torn").exists()


@pytest.mark.parametrize("blank", [None, np.nan, ""])
def test_rows_without_a_group_stand_alone(tmp_path: Path, blank: Any) -> None:
    group = pd.Series([f"p{row // 10}" for row in range(NUM)], dtype=object)
    group[group == "p3"] = blank
    group[group == "p0"] = blank
    problem = make_room(tmp_path / "room", truth(group=group))
    assert problem.groups is not None
    assert len(np.unique(problem.groups)) == 4 + 20
    assert problem.column_groups is not None
    assert set(problem.column_groups) == {"", "p1", "p2", "p4", "p5"}


def test_a_run_goes_into_the_room_and_comes_back(tmp_path: Path) -> None:
    problem = make_room(tmp_path / "room", truth(), ["t1", "t0"])
    test = scores(2).iloc[:2].drop(columns="fold").assign(id=["t1", "t0"])
    run = put_run(problem, "a", scores(1).iloc[::-1], test)
    columns = ["id", *CLASSES, "fold"]
    back = frame_of(predictions_file.read(run.oof))
    pd.testing.assert_frame_equal(back, scores(1)[columns])
    answers = frame_of(predictions_file.read(run.test))
    pd.testing.assert_frame_equal(answers, test.iloc[::-1].reset_index(drop=True))
