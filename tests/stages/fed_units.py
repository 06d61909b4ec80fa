"""Second-level units on made-up features: runs of networks that nobody trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise.config.recipe import Recipe
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.featuring import files
from foldwise.stages.featuring.files import UnitFeatures
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.jobs import score_unit, train_unit
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem


def make_source(
    problem: Problem, name: str = "net", *, seeds: tuple[int, ...] = (0,), **recipe: Any
) -> list[Unit]:
    """A run of a network whose features show the target, each unit's turned another way."""
    resolved = Recipe.model_validate({"model": {"name": "small_cnn"}, **recipe})
    units = units_of(problem, resolved, problem.home.new_run(name), seeds=seeds)
    record_run(units[0], seeds)
    for unit in units:
        set_weights(unit, "trained")
        files.write(unit, made_up(unit))
    return units


def set_weights(unit: Unit, weights: str) -> None:
    """Say that a unit is done, with these weights."""
    record = {
        "inputs": unit.inputs,
        "test": unit.test_print,
        "weights_sha256": weights,
        "pretrained_sha256": None,
    }
    publish_json(unit.folder.record, record)


def made_up(unit: Unit, width: int = 6) -> UnitFeatures:
    """Features in a space of the unit's own: the target and noise, turned."""
    problem = unit.problem
    rng = np.random.default_rng(unit.seed * 10 + (-1 if unit.fold is None else unit.fold) + 1)
    turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
    shown = problem.one_hot.astype(float)
    spread = np.where(shown.std(axis=0) > 0, shown.std(axis=0), 1.0)
    shown = (shown - shown.mean(axis=0)) / spread
    train = 0.5 * rng.normal(size=(len(problem.train), width))
    train[:, : shown.shape[1]] += shown
    test = rng.normal(size=(len(problem.test), width))
    return UnitFeatures(*((part @ turn).astype(np.float32) for part in (train, test)))


def fed_units(
    problem: Problem, recipe: dict[str, Any], *, name: str = "second", seeds: tuple[int, ...] = (0,)
) -> list[Unit]:
    """The units of a second-level recipe, whose run is recorded."""
    resolved = Recipe.model_validate({"features": "net", **recipe})
    units = units_of(problem, resolved, problem.home.new_run(name), seeds=seeds)
    record_run(units[0], seeds)
    return units


def fitted(problem: Problem, recipe: dict[str, Any], **options: Any) -> list[Unit]:
    """The same, fitted."""
    units = fed_units(problem, recipe, **options)
    for unit in units:
        work(unit)
    return [unit.again() for unit in units]


def work(unit: Unit) -> str:
    """Fit a unit."""
    home = str(unit.problem.home.path)
    return train_unit(home, str(unit.run.path), unit.fold, unit.seed, 1, None)


def rescore(unit: Unit) -> str:
    """Score the test rows there are now."""
    home = str(unit.problem.home.path)
    return score_unit(home, str(unit.run.path), unit.fold, unit.seed, 1, None)


def weights_of(unit: Unit) -> str:
    """Hash of what a unit has fitted."""
    return str(read_json(unit.folder.record)["weights_sha256"])
