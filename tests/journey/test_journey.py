"""The whole loop on small synthetic competitions, by the command line's own functions."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from foldwise.cli import app
from foldwise.home import Home
from foldwise.stages.init import init
from foldwise.stages.proposing.said import Said
from foldwise.stages.recipes import load_plan
from foldwise.stages.submit import check_submission
from tests.builders import make_home

pytestmark = pytest.mark.slow

TASKS = ("multiclass", "multilabel", "regression", "ordinal")


def shell(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("task", TASKS)
def test_from_a_raw_folder_to_a_valid_submission_and_back_again(task, tmp_path):
    raw = make_home(tmp_path, task=task, num_train=36, num_test=12).path.parent / "raw"
    shutil.rmtree(tmp_path / "comp")
    home = init(tmp_path / "mine", data=raw, said=Said(task=task, pretrained="forbidden"))
    assert home.path == tmp_path / "mine"
    recipes = list(load_plan(home).recipes)
    assert len(recipes) == 3
    short = [
        f"recipes.{name}.train={{epochs: 2, batch: 8, schedule: {{warmup: 1}}}}" for name in recipes
    ]
    output = shell("run", str(home.path), "folds.count=2", *short)
    assert "submission:" in output
    assert check_submission(home, home.submission) == []
    sample = pd.read_csv(raw / "sample_submission.csv", dtype=str)
    handed = pd.read_csv(home.submission, dtype=str)
    assert list(handed.columns) == list(sample.columns)
    assert list(handed["id"]) == list(sample["id"])
    scores = json.loads((home.run("blend").scores).read_text())
    assert scores["score"] is not None
    assert home.report.stat().st_size > 10_000
    before = {p: p.stat().st_mtime_ns for p in home.runs.rglob("*.parquet")}
    again = shell("run", str(home.path), "folds.count=2", *short)
    assert "all units are done" in again
    assert {p: p.stat().st_mtime_ns for p in home.runs.rglob("*.parquet")} == before


def test_any_stage_alone_with_any_key_overridden(tmp_path):
    home = make_home(tmp_path)
    where = ("-C", str(home.path))
    shell("prepare", *where)
    shell("split", *where)
    shell("train", "a", "train.epochs=1", "--fold", "0", "--as", "a-fast", *where)
    record = json.loads(home.run("a-fast").record.read_text())
    assert record["recipe"]["train"]["epochs"] == 1
    assert home.run("a-fast").unit(0, 0).record.exists()
    assert not home.run("a-fast").unit(1, 0).path.exists()
    shell("evaluate", "a-fast", *where)
    shell("submit", "a-fast", *where)
    shell("submit", "--check", str(home.submission), *where)


def test_a_changed_recipe_stops_and_shows_the_difference(tmp_path):
    home = make_home(tmp_path)
    where = ("-C", str(home.path))
    shell("prepare", *where)
    shell("split", *where)
    shell("train", "a", "--fold", "0", *where)
    from foldwise.errors import RunError

    with pytest.raises(RunError, match=r"train\.lr") as caught:
        CliRunner().invoke(app, ["train", "a", "train.lr=0.5", *where], catch_exceptions=False)
    assert "--as" in caught.value.remedy


def test_a_limit_is_kept_and_leaves_a_valid_submission(tmp_path):
    home = make_home(tmp_path, num_train=48)
    output = shell("run", str(home.path), "--limit", "60s", "seeds=[0,1,2]")
    assert check_submission(home, home.submission) == []
    assert "training takes about" in output


def test_home_is_found_from_inside(tmp_path, monkeypatch):
    home = make_home(tmp_path)
    monkeypatch.chdir(home.recipes)
    shell("prepare")
    assert Home(home.path).samples.exists()
