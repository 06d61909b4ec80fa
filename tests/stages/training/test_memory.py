"""Memory that runs out is healed by cutting batches into more parts; the unit says so."""

import pytest
from safetensors.torch import load_file

from foldwise import predictions
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.stages.training.unit import Unit
from tests.builders import SMALL
from tests.stages.small_units import ready, units, work

FULL = "CUDA out of memory. Tried to allocate 2 GiB"
HUNGRY = """
import torch
from torch import nn

class Hungry(nn.Module):
    def __init__(self, num_outputs, channels, most, after, message, most_scored):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))
        self.most, self.after, self.steps = most, after, 0
        self.message, self.most_scored = message, most_scored

    def forward(self, images):
        self.steps += self.training
        if not self.training and len(images) > self.most_scored:
            raise torch.OutOfMemoryError(self.message)
        if self.training and self.steps > self.after and len(images) > self.most:
            raise torch.OutOfMemoryError(self.message)
        return self.layers(images)

def network(*, num_outputs, channels, most, after, message, most_scored):
    return Hungry(num_outputs, channels, most, after, message, most_scored)
"""


def hungry(
    folder,
    most: int,
    after: int = 0,
    message: str = FULL,
    loss: str | None = None,
    most_scored: int = 64,
    **train,
) -> Unit:
    options = {"most": most, "after": after, "message": message, "most_scored": most_scored}
    model = {"name": "hungry:network", "options": options}
    recipe = {**SMALL, "model": model, "loss": loss, "train": {**SMALL["train"], **train}}
    task = "multiclass" if loss is None else "ordinal"
    home = ready(folder, recipe, task=task)
    home.code.mkdir(exist_ok=True)
    (home.code / "hungry.py").write_text(HUNGRY)
    return units(home)[0]


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
