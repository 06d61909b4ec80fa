"""`foldwise views` on masks: maps of each view kept, what is there not made again, and named."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import BudgetError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.predict import predict
from foldwise.stages.viewing.answers import read_answers
from foldwise.stages.viewing.files import missing_views, read_predictions, view_path
from foldwise.stages.viewing.jobs import show_views
from foldwise.stages.viewing.map_answers import MapAnswers
from foldwise.stages.views import views
from foldwise.views import views_of
from tests.stages.small_competition import QUIET
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units
from tests.stages.small_units import work

OWN = ["identity", "hflip"]
RECIPE = {**SMALL_MASKS, "views": OWN, "train": {**SMALL_MASKS["train"], "epochs": 6, "lr": 5e-2}}
NATIVE = {
    **RECIPE,
    "input": {"size": 16, "fit": "native", "tile": {"size": 32, "overlap": 0.3}},
    "augment": [{"name": "mask_crop", "near": 0.8}, "hflip"],
}


def trained(folder: Path, recipe: dict[str, Any]) -> Home:
    home = masks_ready(folder, recipe)
    for unit in masks_units(home):
        work(unit)
    predict(home, "a")
    show(home)
    return home


def show(home: Home) -> None:
    """What the jobs of `views` do, in this process."""
    for unit in masks_units(home):
        names = json.dumps([*OWN, "vflip", "centre_0.75"])
        timing = home.run("a").unit_views(".progress.jsonl")
        show_views(str(home.path), str(unit.run.path), unit.fold, unit.seed, 1, names, str(timing))


@pytest.fixture(scope="module", params=["stretch", "native"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Home:
    recipe = RECIPE if request.param == "stretch" else NATIVE
    return trained(tmp_path_factory.mktemp(request.param), recipe)


@pytest.fixture(scope="module")
def found(home: Home) -> dict[str, Any]:
    result = views(home, "a", candidates=["vflip", "centre_0.75"], display=QUIET)
    assert result is not None
    return result


def test_each_view_is_measured_and_a_set_proposed(home: Home, found: dict[str, Any]) -> None:
    assert [worth["views"][-1] for worth in found["single"]] == ["hflip", "vflip", "centre_0.75"]
    assert all(worth["seconds"] > 0 for worth in found["single"])
    assert found["read"] > 0
    assert found["num_rows"] == 32
    assert found["own"]["views"] == OWN
    assert found["plain"]["score"] > 0.5
    assert found["proposed"][0] == "identity"
    assert home.run("a").views_picture.read_text().startswith("<svg")
    assert read_json(home.run("a").views)["proposed"] == found["proposed"]


def test_the_mean_of_the_kept_views_is_what_the_run_itself_answered(
    home: Home, found: dict[str, Any]
) -> None:
    units = masks_units(home)
    every = views_of([*OWN, "vflip", "centre_0.75"])
    answers = read_answers(units[0].problem, home.run("a"), units, every, show=QUIET)
    assert isinstance(answers, MapAnswers)
    own = (
        predictions_file.read(home.run("a").oof)
        .align(units[0].problem.train.ids, name="test")
        .scores
    )
    mean = answers.mean(every[:2])
    away = [np.abs(mean.read(row).astype(int) - own.read(row)).max() for row in range(len(own))]
    assert max(away) <= 2  # Each view's is rounded, and their mean once more.
    alone = answers.mean(every[:1])
    assert any((alone.read(row) != own.read(row)).any() for row in range(len(own)))


def test_a_crop_is_kept_as_far_as_it_showed(home: Home, found: dict[str, Any]) -> None:
    unit = masks_units(home)[0]
    (crop,) = views_of(["centre_0.75"])
    maps = read_predictions(unit, crop).scores
    for row in range(3):
        levels = maps.read(row)
        assert levels[:, 0].max() == 0
        assert levels[:, :, -1].max() == 0
        middle = levels[:, levels.shape[1] // 2, levels.shape[2] // 2]
        assert middle.max() > 0


def test_what_is_there_is_not_made_again(home: Home, found: dict[str, Any]) -> None:
    every = views_of([*OWN, "vflip", "centre_0.75"])
    first, second = masks_units(home)
    assert missing_views(first, every) == []
    before = {path: path.stat().st_mtime_ns for path in home.run("a").path.rglob("*.arrow")}
    show(home)
    assert views(home, "a", candidates=["vflip", "centre_0.75"], display=QUIET) == found
    assert {p: p.stat().st_mtime_ns for p in home.run("a").path.rglob("*.arrow")} == before
    (home.run("a").unit_views(second.folder.name) / "measured.json").unlink()
    show(home)
    changed = {p for p, at in before.items() if p.stat().st_mtime_ns != at}
    assert changed == {view_path(second, view).with_suffix(".arrow") for view in every}


def test_a_disk_that_is_too_full_is_said_before_any_work(
    home: Home, found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 100))
    with pytest.raises(BudgetError, match=r"(?s)the maps of 3 views take about .*name fewer views"):
        views(home, "a", candidates=["rot180"], display=QUIET)
    assert missing_views(masks_units(home)[0], views_of(["rot180"]))


def test_one_fold_cannot_choose_and_be_scored(tmp_path: Path) -> None:
    home = masks_ready(tmp_path)
    work(masks_units(home)[0])
    with pytest.raises(RunError, match="one fold is trained, and views cannot be chosen"):
        views(home, "a", display=QUIET)
