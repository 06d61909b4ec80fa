"""The runs whose features a second-level model reads: checked before work, kept in its record."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from foldwise.config.recipe import Recipe
from foldwise.engine.second_level import chosen_formulation
from foldwise.errors import ConfigError, FoldwiseError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.features import network_recipe
from foldwise.stages.recipes import Places, joined
from foldwise.stages.training.unit import Unit


def check_sources(
    home: Home, recipe: Recipe, places: Places, *, planned: Collection[str] = ()
) -> None:
    """Check that the runs a second-level recipe reads are there and have features.

    Args:
        home: the competition.
        recipe: resolved.
        places: where its keys stand.
        planned: recipes with networks that are trained before it.

    Raises:
        ConfigError: some are not.
    """
    found: list[ConfigError] = []
    for name in recipe.sources:
        if name in planned:
            continue
        try:
            network_recipe(home.new_run(name))
        except FoldwiseError as problem:
            found.append(places.error("features", _said(home, name, problem, planned)))
    if found:
        raise joined(found)


def _said(home: Home, name: str, problem: FoldwiseError, planned: Collection[str]) -> FoldwiseError:
    if read_json(home.new_run(name).record) is not None:
        return problem
    known = ", ".join(sorted({*home.run_names(), *planned})) or "none"
    is_recipe = home.recipe(name).is_file()
    remedy = f"train it first: foldwise train {name}" if is_recipe else f"known: {known}"
    return RunError(f"there is no run {name!r} to take features from", remedy=remedy)


def second_level_facts(unit: Unit) -> dict[str, Any]:
    """What the record of a second-level run says beyond its recipe; nothing for a network.

    `formulation` that its head answers; of each source by name: `network`, `freeze` and `stop`.

    Raises:
        RunError: a source is not there, or has no features.
    """
    recipe, home = unit.recipe, unit.problem.home
    if not recipe.is_second_level:
        return {}
    sources = {}
    for name in recipe.sources:
        found = network_recipe(home.new_run(name))
        sources[name] = {
            "network": found.model.name,
            "freeze": found.freeze,
            "stop": found.train.stop,
        }
    formulation, _ = chosen_formulation(unit.problem.task, recipe)
    return {"second_level": {"formulation": formulation, "sources": sources}}
