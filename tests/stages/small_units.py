"""Small competitions made ready to train, and their units trained in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from foldwise.engine import checkpoint
from foldwise.engine.checkpoint import Checkpoint
from foldwise.home import Home
from foldwise.models.building import build
from foldwise.rundir import RunDir
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.jobs import finish_unit, score_unit, train_unit
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home


def ready(folder: Path, recipe: dict[str, Any] = SMALL, **changes: Any) -> Home:
    """A competition with one recipe, prepared and split."""
    home = make_home(folder, recipes={"a": recipe}, num_train=36, **changes)
    prepare(home)
    split(home)
    return home


def units(home: Home, seeds: tuple[int, ...] = (0,), epochs: int | None = None) -> list[Unit]:
    """The units of its recipe, whose run is recorded."""
    found = units_of(
        open_problem(home), load_recipe(home, "a"), RunDir(home.runs / "a"),
        seeds=seeds, epochs=epochs,
    )  # fmt: skip
    record_run(found[0], seeds)
    return found


def work(unit: Unit) -> str:
    """Train a unit."""
    return train_unit(*_arguments(unit))


class _KilledError(BaseException):
    """Nothing handles it."""


def work_and_die(unit: Unit, when: Callable[[Checkpoint], bool] = lambda state: True) -> None:
    """Train a unit up to the first checkpoint that is one to die after; there must be one."""
    save = checkpoint.save

    def save_and_die(folder: Path, state: Checkpoint) -> None:
        save(folder, state)
        if when(state):
            raise _KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", save_and_die)
        with pytest.raises(_KilledError):
            work(unit)


def finish(unit: Unit) -> str:
    """Finish a unit whose epoch is recorded."""
    return finish_unit(*_arguments(unit))


def rescore(unit: Unit) -> str:
    """Score the test rows there are now."""
    return score_unit(*_arguments(unit))


def with_train(**train: Any) -> dict[str, Any]:
    """The small recipe, trained otherwise."""
    return {**SMALL, "train": {**SMALL["train"], **train}}


def pretrained(folder: Path, seed: int = 5) -> str:
    """Weights to start from: a small network of random weights, as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = build(name="small_cnn", num_outputs=4, size=16)
    state = {name: value.contiguous() for name, value in network.backbone.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    return str(folder / "weights.safetensors")


def _arguments(unit: Unit) -> tuple[str, str, int | None, int, int, int | None]:
    home = str(unit.problem.home.path)
    return home, str(unit.run.path), unit.fold, unit.seed, 1, unit.epochs
