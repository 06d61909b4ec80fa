"""Units of target presence: networks that say which classes are in an image, where masks are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foldwise import predictions as predictions_file
from foldwise.config.writing import write_yaml
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.stages.doctor import doctor
from foldwise.stages.evaluate import evaluate
from foldwise.stages.predict import predict
from foldwise.stages.recipes import load_recipe
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.train import train
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home
from tests.stages.small_competition import QUIET
from tests.stages.small_masks import masks_ready, masks_units
from tests.stages.small_units import work

PRESENCE: dict[str, Any] = {**SMALL, "target": "presence"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = masks_ready(tmp_path_factory.mktemp("presence"), PRESENCE)
    for unit in masks_units(home):
        work(unit)
    predict(home, "a", display=QUIET)
    return home


def test_its_scores_are_a_probability_of_each_class(trained: Home) -> None:
    for place in (trained.run("a").oof, trained.run("a").test):
        found = predictions_file.read(place)
        assert found.kind == "vector"
        assert found.columns == ("dot", "bar")
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert len(found) == 6


def test_it_is_scored_against_which_classes_masks_show(trained: Home) -> None:
    scores = evaluate(trained, "a", display=QUIET)
    assert scores["metric"]["name"] == "mean_average_precision"
    assert {each["name"] for each in scores["references"]} >= {"majority"}
    held = read_decided(open_problem(trained), trained.run("a"))
    truth = held.problem.masks.target if held.problem.masks is not None else None
    assert truth is not None
    assert (held.target == (truth.areas > 0)).all()


def test_a_unit_is_asked_what_its_recipe_says_whatever_it_is_given(trained: Home) -> None:
    unit = masks_units(trained)[0]
    assert unit.is_done()
    assert not unit.problem.is_handed_in
    assert replace(unit, problem=open_problem(trained)).is_done()
    masks = unit.recipe.model_copy(update={"target": None})
    assert replace(unit, recipe=masks).problem.is_handed_in


def test_the_doctor_reads_it_as_a_classifier(trained: Home) -> None:
    write_yaml(trained.recipe("b"), {**PRESENCE, "loss": "mask_dice"})
    assert doctor(trained, "a", trial=False, display=QUIET) == []
    found = doctor(trained, "b", trial=False, display=QUIET)
    assert [finding.rule for finding in found] == ["loss-fit"]


def test_a_decoder_is_refused(trained: Home) -> None:
    write_yaml(trained.recipe("c"), {**PRESENCE, "model": {"name": "resnet18", "decoder": "fpn"}})
    found = doctor(trained, "c", trial=False, display=QUIET)
    assert "makes masks" in " ".join(map(str, found))


def test_it_is_refused_where_there_are_no_masks(tmp_path: Path) -> None:
    home = make_home(tmp_path, recipes={"a": PRESENCE})
    line = home.recipe("a").read_text("utf-8").splitlines().index("target: presence") + 1
    with pytest.raises(ConfigError, match=re.escape(f"a.yaml:{line}: target: presence asks which")):
        train(home, "a", display=QUIET)
    found = doctor(home, "a", trial=False, display=QUIET)
    assert any(finding.rule == "map-fit" and "no masks" in str(finding) for finding in found)


def test_a_recipe_of_masks_asks_for_a_decoder_or_presence(trained: Home) -> None:
    write_yaml(trained.recipe("d"), SMALL)
    assert load_recipe(trained, "d").target is None
    found = doctor(trained, "d", trial=False, display=QUIET)
    assert "target: presence, for a gate" in " ".join(map(str, found))
