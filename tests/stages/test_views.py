"""`foldwise views`: measured once, killed or not; what cannot be shown or afforded is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import device as machine
from foldwise import predictions as predictions_file
from foldwise.config.writing import write_yaml
from foldwise.errors import BudgetError, ConfigError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.predict import predict
from foldwise.stages.report import report
from foldwise.stages.train import train
from foldwise.stages.viewing.files import missing_views, read_predictions, read_views
from foldwise.stages.views import views
from foldwise.views import views_of
from tests.builders import SMALL
from tests.stages.small_competition import QUIET
from tests.stages.small_units import pretrained, ready, units, with_train, work

FLIPS = ["identity", "hflip"]
#: One that takes images of 16 pixels only.
NETWORK = """
from torch import nn

def network(*, num_outputs, channels):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))
"""


def trained(folder: Path, recipe: dict[str, Any] | None = None, **changes: Any) -> Home:
    """A run of two seeds on two of three folds."""
    flipped = {**SMALL, "augment": ["crop", "hflip"], "views": FLIPS}
    home = ready(folder, recipe or flipped, **changes)
    for unit in units(home, seeds=(0, 1)):
        if unit.fold != 2:
            work(unit)
    predict(home, "a")
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return trained(tmp_path_factory.mktemp("views"), task="ordinal")


@pytest.fixture(scope="module")
def found(home: Home) -> dict[str, Any]:
    result = views(home, "a", display=QUIET)
    assert result is not None
    return result


def test_what_is_measured_by_default_is_what_nothing_speaks_against(found):
    measured = [worth["views"][-1] for worth in found["single"]]
    assert measured == ["hflip", "rotate_10", "rotate_-10", "centre_0.875"]
    assert set(found["left_out"]) == {
        "vflip", "rot90", "rot180", "rot270", "transpose", "transverse", "scale_0.75", "scale_1.25"
    }  # fmt: skip
    assert "never seen" in found["left_out"]["vflip"]
    assert "changes nothing where input.size is 16" in found["left_out"]["scale_1.25"]
    assert found["num_folds"] == 2
    assert found["plain"]["views"] == ["identity"]
    assert found["own"]["views"] == FLIPS
    assert all(worth["seconds"] > 0 for worth in found["single"])


def test_the_answers_are_those_of_the_run_itself(home, found):
    for unit in units(home, seeds=(0, 1)):
        if unit.fold == 2:
            continue
        plain, flipped = (read_predictions(unit, view) for view in views_of(FLIPS))
        own = predictions_file.read(unit.folder.valid)
        assert (plain.ids == own.ids).all()
        assert np.abs((plain.scores + flipped.scores) / 2 - own.scores).max() < 1e-9
        assert np.abs(plain.scores - flipped.scores).max() > 1e-6


def test_a_second_call_computes_nothing(home, found):
    before = {path: path.stat().st_mtime_ns for path in home.run("a").path.rglob("*.parquet")}
    assert views(home, "a", display=QUIET) == found
    assert {p: p.stat().st_mtime_ns for p in home.run("a").path.rglob("*.parquet")} == before


def test_killed_in_between_it_goes_on_with_the_next_unit(home, found):
    done = [unit for unit in units(home, seeds=(0, 1)) if unit.fold != 2]
    folder = home.run("a").unit_views(done[1].folder.name)
    (folder / "measured.json").unlink()
    kept = read_views(done[0])
    again = views(home, "a", display=QUIET)
    assert read_views(done[0]) == kept
    assert again["single"][0]["gain"] == found["single"][0]["gain"]
    assert not missing_views(done[1], views_of([*FLIPS, "rotate_10"]))


def test_the_picture_is_beside_the_run_and_in_the_report(home, found):
    text = home.run("a").views_picture.read_text()
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert text.count("<style>") == 1
    assert "centre_0.875" in text
    page = report(home, display=QUIET).read_text()
    assert "Sets, chosen forward without the fold they are scored on" in page
    publish_json(home.run("a").views, {**read_json(home.run("a").views), "oof": "other"})
    assert "Sets, chosen forward" not in report(home, display=QUIET).read_text()
    home.run("a").views.unlink()
    views(home, "a", display=QUIET)


def test_candidates_are_measured_whatever_speaks_against_them_and_that_is_said(home, found):
    result = views(home, "a", candidates=["vflip", "hflip*centre_crop"], display=QUIET)
    assert [worth["views"][-1] for worth in result["single"]] == [
        "hflip", "vflip", "hflip*centre_0.875"
    ]  # fmt: skip
    assert "never seen" in result["doubts"]["vflip"]
    assert set(result["proposed"]) <= {"identity", "hflip", "vflip", "hflip*centre_0.875"}
    with pytest.raises(ConfigError, match="did you mean 'vflip'"):
        views(home, "a", candidates=["vflop"], display=QUIET)


def test_a_dry_run_says_what_it_costs_and_writes_no_answers(home, found):
    class Listening(type(QUIET)):
        def say(self, text: str, *, style: str | None = None) -> None:
            said.append(text)

    said: list[str] = []
    assert views(home, "a", candidates=["rotate_3"], dry_run=True, display=Listening()) is None
    assert "3 views: identity, hflip, rotate_3" in said
    assert any(text.startswith("about ") and text.endswith(" to measure") for text in said)
    unit = units(home, seeds=(0, 1))[0]
    assert missing_views(unit, views_of(["rotate_3"]))


def test_without_any_time_the_error_says_so(home, found):
    with pytest.raises(
        BudgetError,
        match=r"the time was up before its network had shown|at least one more has to be",
    ):
        views(home, "a", candidates=["rotate_4"], stop_at=machine.monotonic(), display=QUIET)


def test_what_has_no_network_or_one_fold_is_refused_with_the_reason(tmp_path):
    home = ready(tmp_path)
    work(units(home)[0])
    with pytest.raises(RunError, match="one fold is trained, and views cannot be chosen"):
        views(home, "a", display=QUIET)
    with pytest.raises(RunError, match="there is no run 'b'"):
        views(home, "b", display=QUIET)
    record = read_json(home.run("a").record)
    second = {"features": "a", "head": "svc"}
    for kind, recipe, why in (
        ("blend", {}, "a blend: it has no network"),
        ("recipe", second, "a second-level model: it has no network of its own"),
    ):
        publish_json(home.runs / "x" / "run.json", {**record, "kind": kind, "recipe": recipe})
        with pytest.raises(RunError, match=why):
            views(home, "x", display=QUIET)


def test_a_network_of_one_size_is_not_shown_another(tmp_path):
    recipe = {**SMALL, "model": {"name": "mine_viewed:network"}}
    (tmp_path / "comp" / "code").mkdir(parents=True)
    (tmp_path / "comp" / "code" / "mine_viewed.py").write_text(NETWORK)
    home = trained(tmp_path, recipe)
    for _ in range(2):
        with pytest.raises(ConfigError, match="--candidates: Sequential cannot be shown scale_2"):
            views(home, "a", candidates=["scale_2", "hflip"], display=QUIET)
    assert views(home, "a", candidates=["hflip"], display=QUIET) is not None


def test_a_frozen_backbone_is_shown_views_as_a_whole(tmp_path):
    model = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    recipe = {**with_train(epochs=1), "model": model, "freeze": "backbone", "augment": []}
    home = trained(tmp_path, recipe)
    found = views(home, "a", candidates=["hflip"], display=QUIET)
    unit = units(home, seeds=(0, 1))[0]
    plain = read_predictions(unit, views_of(["identity"])[0])
    assert np.abs(plain.scores - predictions_file.read(unit.folder.valid).scores).max() < 1e-5
    assert found["own"]["gain"]["point"] == 0


def test_recipes_whose_views_cannot_be_honoured_are_refused_before_any_work(tmp_path):
    home = ready(tmp_path)
    home.code.mkdir(exist_ok=True)
    (home.code / "mine_fixed.py").write_text(NETWORK)
    for model, spec, message in (
        ("mine_fixed:network", "scale_2", r"b.yaml:\d+: views\.1: Sequential cannot be shown"),
        ("small_cnn", "scale", r"b.yaml:\d+: views\.1: scale_1.25 changes nothing"),
        ("small_cnn", {"name": "scale", "factor": 9}, r"b.yaml:\d+: views\.1.*less than or equal"),
    ):
        recipe = {**SMALL, "model": {"name": model}, "views": ["identity", spec]}
        write_yaml(home.recipe("b"), recipe, overwrite=True)
        with pytest.raises(ConfigError, match=message):
            train(home, "b", display=QUIET)
    assert not home.run("b").record.exists()
