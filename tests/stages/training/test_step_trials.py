"""How a network computes is decided once, kept, recorded and reread."""

from dataclasses import asdict, replace

import pytest
import torch

from foldwise.config.recipe import Recipe
from foldwise.engine import compiling, fitting
from foldwise.engine.assemble import Assembly
from foldwise.engine.compiling import CompileTrial
from foldwise.errors import ConfigError, RunError
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.training import step_trials as module
from foldwise.stages.training.choices import choose
from foldwise.stages.training.step_trials import decide_compiled, decide_layout
from tests.stages.small_units import ready, units, with_train, work

CPU = torch.device("cpu")


def decided(assembly: Assembly) -> str:
    return decide_layout(assembly, assembly.network(), CPU)


def many_steps(assembly: Assembly, epochs: int = 400) -> Assembly:
    train = assembly.recipe.train.model_copy(update={"epochs": epochs})
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


def with_compile(assembly: Assembly, value: object) -> Assembly:
    train = assembly.recipe.train.model_copy(update={"compile": value})
    return Assembly(assembly.problem, assembly.recipe.model_copy(update={"train": train}))


def compiled(assembly: Assembly) -> bool:
    return decide_compiled(assembly, assembly.network(), CPU)


def timed(monkeypatch, trial: CompileTrial) -> list[bool]:
    """Stands in for the trial; whether the training was long enough, each time it was asked for."""
    asked = []

    def stand_in(*_, worth, **__):
        asked.append(worth(trial.plain))
        return trial if asked[-1] else CompileTrial(trial.plain, None, is_too_short=True)

    monkeypatch.setattr(module, "compile_trial", stand_in)
    return asked


def test_compiling_is_decided_once_by_what_is_over_earlier(assembly, monkeypatch):
    long = many_steps(assembly)
    asked = timed(monkeypatch, CompileTrial(10.0, 5.0, compiling=60.0))
    assert compiled(long)
    assert compiled(long)
    assert asked == [True]
    (path,) = long.problem.home.cache.glob("trials/compile-*.json")
    assert read_json(path)["compiled"] == 5.0


def test_compiling_that_saves_little_is_not_worth_it(assembly, monkeypatch):
    timed(monkeypatch, CompileTrial(10.0, 9.0, compiling=10**6))
    assert not compiled(many_steps(assembly))


def test_a_short_training_is_not_compiled_and_a_longer_one_is_tried_again(assembly, monkeypatch):
    asked = timed(monkeypatch, CompileTrial(0.25, 0.1, compiling=60.0))
    assert not compiled(assembly)  # Not even a plain step is timed.
    assert not compiled(many_steps(assembly))
    assert not compiled(many_steps(assembly))
    assert compiled(many_steps(assembly, 4000))
    assert asked == [False, True]


def test_a_step_of_several_parts_gains_by_compiling_in_each(assembly, monkeypatch):
    asked = timed(monkeypatch, CompileTrial(0.25, 0.1, compiling=60.0))
    train = assembly.recipe.train.model_copy(update={"accumulate": 4})
    cut = Assembly(assembly.problem, assembly.recipe.model_copy(update={"train": train}))
    assert compiled(many_steps(cut))
    assert asked == [True]


def test_compiling_that_is_asked_for_or_ruled_out_is_not_tried(assembly, monkeypatch):
    monkeypatch.setattr(module, "obstacle", lambda device: "")
    monkeypatch.setattr(module, "compile_trial", lambda *_, **__: pytest.fail("timed"))
    assert compiled(with_compile(assembly, True))
    assert not compiled(with_compile(many_steps(assembly), False))
    monkeypatch.setattr(module, "obstacle", lambda device: "there is no C++ compiler here")
    with pytest.raises(ConfigError, match=r"train\.compile: true, but there is no C\+\+ compiler"):
        compiled(with_compile(assembly, True))


def test_a_unit_records_whether_its_steps_are_compiled_and_trains_by_it(tmp_path, monkeypatch):
    home = ready(tmp_path, with_train(layout="channels_first"))
    seen = []

    def outputs(network, *, compiled):
        seen.append(compiled)
        return network.all_outputs

    monkeypatch.setattr(fitting, "training_outputs", outputs)
    unit = units(home)[0]
    work(unit)
    stored = read_json(unit.folder.choices)
    assert stored["compiled"] is False
    begun = units(ready(tmp_path / "other"))[0]
    begun.folder.path.mkdir(parents=True)
    publish_json(begun.folder.choices, {**stored, "inputs": begun.inputs, "compiled": True})
    work(begun)
    assert read_json(begun.folder.choices)["compiled"] is True
    assert seen == [False, True]


def test_a_unit_begun_with_compiled_steps_needs_a_compiler(tmp_path, monkeypatch):
    unit = units(ready(tmp_path))[0]
    unit.folder.path.mkdir(parents=True)
    choices = replace(choose(unit, 1), compiled=True, layout="channels_last")
    publish_json(unit.folder.choices, asdict(choices))
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    with pytest.raises(RunError, match=r"begun with compiled steps, but there is no C\+\+"):
        work(unit)
    assert read_json(unit.folder.choices)["compiled"] is True
