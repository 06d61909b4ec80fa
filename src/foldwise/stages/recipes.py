"""Recipes by name: their files, resolved with the plan's changes and the command's overrides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foldwise.config.loading import load
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.errors import FoldwiseError
from foldwise.rundir import Home


def recipe_path(home: Home, recipe: str) -> Path:
    """The recipe file that a name or path means.

    Raises:
        FoldwiseError: there is none; lists the known ones.
    """
    given = Path(recipe)
    for path in (given, home.path / given, home.recipe(recipe)):
        if path.suffix in (".yaml", ".yml") and path.is_file():
            return path
    known = ", ".join(sorted(p.stem for p in home.recipes.glob("*.yaml"))) or "none"
    raise FoldwiseError(f"there is no recipe {recipe!r}", remedy=f"known: {known}")


def load_plan(home: Home, overrides: Sequence[str] = ()) -> Plan:
    """The plan, with `key=value` overrides.

    Raises:
        ConfigError: as the loader says.
    """
    return load(home.plan, Plan, overrides=overrides)


def load_recipe(
    home: Home, recipe: str, *, overrides: Sequence[str] = (), plan: Plan | None = None
) -> Recipe:
    """A resolved recipe.

    Args:
        home: the competition.
        recipe: name or path.
        overrides: `key=value`.
        plan: whose changes to the recipe apply; None: the recipe as it stands.

    Raises:
        ConfigError: as the loader says.
    """
    path = recipe_path(home, recipe)
    changes = plan.recipes.get(path.stem) if plan is not None else None
    return load(path, Recipe, overrides=overrides, extra=changes, extra_source="plan.yaml")


def planned_recipes(home: Home, plan: Plan | None = None) -> dict[str, Recipe]:
    """Name → resolved recipe, in the plan's order."""
    plan = plan or load_plan(home)
    return {name: load_recipe(home, name, plan=plan) for name in plan.recipes}
