"""A unit trained with every trick of optimisation at once, broken off and gone on with."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from foldwise import publish
from foldwise.engine.assemble import Assembly
from tests.stages.small_units import ready, units, with_train, work

TRICKS = {
    "epochs": 3,
    "checkpoint": {"share": 1.0},
    "sharpness": {"name": "asam", "rho": 0.5},
    "lookahead": {"k": 2, "alpha": 0.5},
    "average_last": 2,
    "norm_update": True,
    "optimizer": {"name": "adamw", "layer_decay": 0.8},
    "schedule": {"preset": {"name": "cosine_restarts", "cycles": 2}, "warmup": 1},
}


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A unit trained in one go."""
    work(unit := units(ready(tmp_path_factory.mktemp("whole"), with_train(**TRICKS)))[0])
    return unit


def test_a_unit_broken_off_and_gone_on_with_has_the_same_bits(expected, tmp_path, monkeypatch):
    broken = ready(tmp_path / "broken", with_train(**TRICKS))
    unit = units(broken)[0]
    # After the second epoch's checkpoint, and with the statistics updated but no record written.
    for name in ("epoch-0002-step-000000.json", "weights.safetensors"):

        def step(phase: str, path: Path, name: str = name) -> None:
            if phase == "done" and path.name == name:
                raise Killed

        monkeypatch.setattr(publish, "step", step)
        with pytest.raises(Killed):
            work(unit)
    monkeypatch.undo()
    unit.folder.weights.unlink()
    work(unit)
    theirs = load_file(expected.folder.weights)
    for name, value in load_file(unit.folder.weights).items():
        assert torch.equal(value, theirs[name]), name


def test_the_weights_kept_are_the_average_with_statistics_of_its_own(expected, tmp_path):
    work(unit := units(ready(tmp_path, with_train(**{**TRICKS, "norm_update": False})))[0])
    plain, updated = load_file(unit.folder.weights), load_file(expected.folder.weights)
    same = {k for k, v in plain.items() if torch.equal(v, updated[k])}
    network = Assembly(unit.problem, unit.recipe).network()
    parameters = {name for name, _ in network.named_parameters()}
    assert parameters <= same
    assert not [k for k in same if k.endswith(("running_mean", "running_var"))]
