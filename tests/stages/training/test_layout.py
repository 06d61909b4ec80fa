"""How a network lies in memory is decided once, kept, recorded and reread."""

import pytest
import torch

from foldwise.config.recipe import Recipe
from foldwise.engine.assemble import Assembly
from foldwise.publish import publish_json
from foldwise.rundir import read_json
from foldwise.stages.training import layout as module
from foldwise.stages.training.layout import decide_layout
from tests.stages.small_units import ready, units, with_train, work

CPU = torch.device("cpu")


def decided(assembly: Assembly) -> str:
    return decide_layout(assembly, assembly.network(), CPU)


def many_steps(assembly: Assembly) -> Assembly:
    train = assembly.recipe.train.model_copy(update={"epochs": 400})
    return Assembly(assembly.problem, assembly.recipe.model_copy(update={"train": train}))


@pytest.fixture
def assembly(tmp_path) -> Assembly:
    unit = units(ready(tmp_path))[0]
    return Assembly(unit.problem, unit.recipe)


@pytest.fixture
def no_trial(monkeypatch):
    def trial(*_, **__):
        raise AssertionError("timed once more")

    monkeypatch.setattr(module, "layout_seconds", trial)


def test_few_steps_are_not_worth_a_trial(assembly, no_trial):
    assert decided(assembly) == "channels_last"


def test_what_is_asked_for_is_not_tried(assembly, no_trial):
    for asked in ("channels_first", "channels_last"):
        train = assembly.recipe.train.model_copy(update={"layout": asked})
        recipe: Recipe = assembly.recipe.model_copy(update={"train": train})
        assert decided(Assembly(assembly.problem, recipe)) == asked


@pytest.mark.parametrize(("first", "wanted"), [(0.9, "channels_first"), (0.98, "channels_last")])
def test_the_default_gives_way_to_what_is_clearly_faster_and_it_is_kept(
    assembly, monkeypatch, first, wanted
):
    seconds = {"channels_first": first, "channels_last": 1.0}
    monkeypatch.setattr(module, "layout_seconds", lambda *_, **__: seconds)
    long = many_steps(assembly)
    assert decided(long) == wanted
    (path,) = long.problem.home.cache.glob("trials/layout-*.json")
    assert read_json(path) == {"layout": wanted, "seconds": seconds}
    monkeypatch.setattr(module, "layout_seconds", lambda *_, **__: pytest.fail("timed again"))
    assert decided(long) == wanted


def test_a_real_trial_decides(assembly):
    assert decided(many_steps(assembly)) in ("channels_first", "channels_last")


def test_a_unit_records_its_layout_and_goes_on_with_it(tmp_path):
    home = ready(tmp_path, with_train(layout="channels_first"))
    unit = units(home)[0]
    work(unit)
    stored = read_json(unit.folder.choices)
    assert stored["layout"] == "channels_first"
    other = ready(tmp_path / "other")
    begun = units(other)[0]
    choices = {**stored, "inputs": begun.inputs}
    begun.folder.path.mkdir(parents=True)
    publish_json(begun.folder.choices, choices)
    work(begun)
    assert read_json(begun.folder.choices) == choices
