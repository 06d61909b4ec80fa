"""The units that a pack's rounds name, such as `b/fold0-seed0`."""

from __future__ import annotations

from collections.abc import Iterable

from foldwise.config.recipe import Recipe
from foldwise.home import Home
from foldwise.rundir import UnitDir
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem


def unit_dir(home: Home, name: str) -> UnitDir:
    """Its folder."""
    run, unit = name.split("/")
    return UnitDir(home.runs / run / "units" / unit)


def with_sources(problem: Problem, names: Iterable[str]) -> list[str]:
    """The units and those whose networks see the features that they read, each once."""
    found: dict[str, None] = {}
    for name in names:
        for source in unit_of(problem, name).sources:
            if source is not None:
                found[f"{source.run.name}/{source.folder.name}"] = None
        found[name] = None
    return list(found)


def unit_of(problem: Problem, name: str) -> Unit:
    """The unit as its run is recorded."""
    run = problem.home.run(name.split("/")[0])
    record, (fold, seed) = run.read_record(), unit_dir(problem.home, name).place
    recipe = Recipe.model_validate(record["recipe"])
    return Unit(problem, recipe, run, fold, seed, record["epochs"])
