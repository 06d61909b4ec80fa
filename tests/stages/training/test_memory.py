"""Memory that runs out is healed by cutting batches into more parts; the unit says so."""

import json
from itertools import count

import pytest
import torch
from safetensors.torch import load_file

from foldwise import predictions
from foldwise.engine import compiling
from foldwise.engine.assemble import Assembly
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.stages.scheduling import forecast
from foldwise.stages.training import step_trials
from tests.stages.hungry import FULL, hungry
from tests.stages.small_units import work


def test_batches_are_cut_until_they_fit_and_the_unit_says_so(tmp_path):
    unit = hungry(tmp_path / "small", most=3)
    notes = work(unit)
    assert "batches of 8 are cut into 4 parts" in notes
    assert read_json(unit.folder.choices)["parts"] == 4
    assert read_json(unit.folder.record)["notes"][-1] in notes
    # The same bits as if the recipe had asked for so many parts.
    plain = hungry(tmp_path / "plain", most=8, accumulate=4)
    work(plain)
    assert unit.folder.weights.read_bytes() == plain.folder.weights.read_bytes()
    whole = hungry(tmp_path / "whole", most=8)
    work(whole)
    ours, theirs = (load_file(u.folder.weights) for u in (unit, whole))
    for name, value in theirs.items():
        assert value.numpy() == pytest.approx(ours[name].numpy(), abs=1e-4)


def test_late_it_goes_on_from_the_last_checkpoint(tmp_path):
    unit = hungry(tmp_path, most=3, after=4, epochs=3)
    assert "cut into 4 parts" in work(unit)
    history = unit.folder.history.read_text().splitlines()
    assert [line.split(",")[0] for line in history[1:]] == ["1", "2", "3"]


def test_where_one_image_is_too_much_the_error_says_what_would_help(tmp_path):
    unit = hungry(tmp_path, most=0)
    with pytest.raises(RunError, match="one image at a time") as caught:
        work(unit)
    assert "input.size" in caught.value.remedy
    assert not unit.is_done()


def test_other_errors_pass(tmp_path):
    with pytest.raises(RuntimeError, match="misaligned"):
        work(hungry(tmp_path, most=3, message="CUDA error: misaligned address"))


def test_a_loss_of_whole_batches_is_not_cut(tmp_path):
    unit = hungry(tmp_path, most=3, loss="soft_kappa")
    with pytest.raises(RunError, match="statistic of the whole batch") as caught:
        work(unit)
    assert "memory ran out" in caught.value.problems[0]


def test_scoring_halves_its_batches_until_they_fit_and_the_unit_says_so(tmp_path):
    unit = hungry(tmp_path / "small", most=8, most_scored=20)
    notes = work(unit)
    assert "32 images are scored at a time" in notes
    assert "16 images are scored at a time" in notes
    choices = read_json(unit.folder.choices)
    assert (choices["eval_batch"], choices["parts"]) == (16, None)
    assert read_json(unit.folder.record)["notes"] == choices["notes"]
    whole = hungry(tmp_path / "whole", most=8)
    assert work(whole) == ""
    for ours, theirs in (
        (unit.folder.valid, whole.folder.valid),
        (unit.folder.test, whole.folder.test),
    ):
        scores = [predictions.read(path).scores for path in (ours, theirs)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_both_kinds_of_smaller_batches_are_recorded(tmp_path):
    unit = hungry(tmp_path, most=3, most_scored=40)
    work(unit)
    choices = read_json(unit.folder.choices)
    assert (choices["eval_batch"], choices["parts"]) == (32, 4)


@pytest.fixture
def with_trials(monkeypatch):
    """Short trainings are worth a trial, too."""
    monkeypatch.setattr(step_trials, "_FEWEST_STEPS", 1)
    monkeypatch.setattr(step_trials, "_LEAST_TRAINING_S", 0)
    monkeypatch.setattr(step_trials, "obstacle", lambda device: "")
    monkeypatch.setattr(compiling, "compile_function", lambda function, **_: function)


def test_trials_of_steps_are_cut_as_training_is(tmp_path, with_trials):
    unit = hungry(tmp_path, most=3)
    assert "batches of 8 are cut into 4 parts" in work(unit)
    assert read_json(unit.folder.choices)["parts"] == 4
    trials = unit.problem.home.cache / "trials"
    assert [len(list(trials.glob(f"{of}-*.json"))) for of in ("layout", "compile")] == [1, 1]


def test_a_trial_of_one_image_that_is_too_much_says_what_would_help(tmp_path, with_trials):
    unit = hungry(tmp_path, most=0)
    with pytest.raises(RunError, match="one image at a time") as caught:
        work(unit)
    assert "input.size" in caught.value.remedy


def test_other_errors_pass_through_a_trial(tmp_path, with_trials):
    with pytest.raises(RuntimeError, match="misaligned"):
        work(hungry(tmp_path, most=3, message="CUDA error: misaligned address"))


def test_the_trials_of_a_forecast_are_cut_as_training_is(tmp_path, with_trials):
    unit = hungry(tmp_path, most=3, most_scored=5)
    recipe = json.dumps(unit.recipe.model_dump(mode="json"))
    found = forecast.trial(str(unit.problem.home.path), recipe, 1, 0.1)
    assert found["infer"] > 0
    assert all(rate > 0 for rate in found["train"].values())


def test_the_trial_of_a_loss_of_whole_batches_is_not_cut(tmp_path):
    unit = hungry(tmp_path, most=3, loss="soft_kappa")
    recipe = json.dumps(unit.recipe.model_dump(mode="json"))
    with pytest.raises(RunError, match="statistic of the whole batch"):
        forecast.trial(str(unit.problem.home.path), recipe, 1, 0.1)


def test_steps_that_only_run_out_of_memory_when_compiled_stay_plain(tmp_path, monkeypatch):
    unit = hungry(tmp_path, most=64)
    network = Assembly(unit.problem, unit.recipe).network()
    images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)

    def compiled(function, **_):
        calls = count()

        def run(*inputs):
            if next(calls):
                raise torch.OutOfMemoryError(FULL)
            return function(*inputs)

        return run

    monkeypatch.setattr(compiling, "obstacle", lambda device: "")
    monkeypatch.setattr(compiling, "compile_function", compiled)
    found = compiling.compile_trial(network, images, device=torch.device("cpu"))
    assert "Tried to allocate" in found.reason
    assert not found.pays(num_steps=10**6, num_graphs=1)
