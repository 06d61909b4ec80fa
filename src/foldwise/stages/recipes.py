"""Recipes by name: their files, resolved with the plan's changes and the command's overrides."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldwise.config.loading import branches, load, origins
from foldwise.config.network import InputConfig
from foldwise.config.nodes import Node
from foldwise.config.plan import Plan
from foldwise.config.reading import shown
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError, FoldwiseError
from foldwise.home import Home


@dataclass(frozen=True)
class Places:
    """Where the keys of a config stand, for what is found wrong after it was loaded.

    Attributes:
        file: shown where a key stands nowhere, since its default is at fault.
        given: dotted key → `file:line`, or the override.
    """

    file: str
    given: Mapping[str, str]

    def of(self, key: str) -> str:
        """Where a key stands, or the nearest one around it, or the file.

        >>> Places("b.yaml", {"train": "b.yaml:3"}).of("train.schedule.warmup")
        'b.yaml:3'
        """
        while key:
            if key in self.given:
                return self.given[key]
            key = key.rpartition(".")[0]
        return self.file

    def error(self, key: str, problem: FoldwiseError) -> ConfigError:
        """What is wrong with the key's value, said with its place."""
        where = self.of(key)
        said = "" if where == f"override {key}" else f"{key}: "
        return ConfigError(
            *(f"{where}: {said}{text}" for text in problem.problems), remedy=problem.remedy
        )


def recipe_path(home: Home, recipe: str) -> Path:
    """The recipe file that a name or path means.

    Raises:
        ConfigError: there is none; lists the known ones.
    """
    given = Path(recipe)
    for path in (given, home.path / given, home.recipe(recipe)):
        if path.suffix in (".yaml", ".yml") and path.is_file():
            return path
    raise _unknown(home, recipe)


def load_plan(home: Home, overrides: Sequence[str] = ()) -> Plan:
    """The plan, with `key=value` overrides.

    Raises:
        ConfigError: as the loader says.
    """
    return load(home.plan, Plan, overrides=overrides)


def plan_places(home: Home, overrides: Sequence[str] = ()) -> Places:
    """Where the plan's keys stand."""
    return Places(shown(home.plan), origins(home.plan, overrides=overrides))


def plan_changes(home: Home, overrides: Sequence[str] = ()) -> dict[str, Node]:
    """Recipe → the keys that the plan changes in it."""
    return branches(home.plan, "recipes", overrides=overrides)


def load_recipe(
    home: Home, recipe: str, *, overrides: Sequence[str] = (), changes: Node | None = None
) -> Recipe:
    """A resolved recipe.

    Args:
        home: the competition.
        recipe: name or path.
        overrides: `key=value`.
        changes: of the plan to the recipe; None: the recipe as it stands.

    Raises:
        ConfigError: as the loader says.
    """
    return load(recipe_path(home, recipe), Recipe, overrides=overrides, changes=changes)


def recipe_places(
    home: Home, recipe: str, *, overrides: Sequence[str] = (), changes: Node | None = None
) -> Places:
    """Where the keys stand of what `load_recipe` loads."""
    path = recipe_path(home, recipe)
    return Places(shown(path), origins(path, overrides=overrides, changes=changes))


def planned_recipes(home: Home, overrides: Sequence[str] = ()) -> dict[str, Recipe]:
    """Name → resolved recipe, in the plan's order.

    Args:
        home: the competition.
        overrides: `key=value` for the plan.

    Raises:
        ConfigError: of plan or recipes, all problems at once.
    """
    plan = load_plan(home, overrides)
    changes = plan_changes(home, overrides)
    places = plan_places(home, overrides)
    recipes: dict[str, Recipe] = {}
    problems: list[ConfigError] = []
    for name in plan.recipes:
        try:
            if not home.recipe(name).is_file():
                raise places.error(f"recipes.{name}", _unknown(home, name))
            recipes[name] = load_recipe(home, name, changes=changes[name])
        except ConfigError as problem:
            problems.append(problem)
    if problems:
        raise joined(problems)
    return recipes


def network_inputs(recipes: Iterable[Recipe]) -> list[InputConfig]:
    """What networks are fed; second-level models are fed features instead of images."""
    return [recipe.input for recipe in recipes if not recipe.is_second_level]


def planned_places(home: Home, overrides: Sequence[str] = ()) -> dict[str, Places]:
    """Recipe of the plan → where its keys stand."""
    changes = plan_changes(home, overrides)
    return {name: recipe_places(home, name, changes=node) for name, node in changes.items()}


def joined(problems: Sequence[ConfigError]) -> ConfigError:
    """Several errors as one that says all of them, each with its remedy."""
    if len(problems) == 1:
        return problems[0]
    texts = [
        f"{text} ({problem.remedy})" if problem.remedy and text == problem.problems[-1] else text
        for problem in problems
        for text in problem.problems
    ]
    return ConfigError(*dict.fromkeys(texts))


def _unknown(home: Home, recipe: str) -> ConfigError:
    known = sorted(path.stem for path in home.recipes.glob("*.yaml"))
    near = difflib.get_close_matches(recipe, known, n=1, cutoff=0.5)
    return ConfigError(
        f"there is no recipe {recipe!r} in {shown(home.recipes)}"
        + (f"; did you mean {near[0]!r}?" if near else ""),
        remedy=f"known: {', '.join(known) or 'none'}",
    )
