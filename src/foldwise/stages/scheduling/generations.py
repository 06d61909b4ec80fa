"""The order in which a plan's recipes are trained: first what others read or are taught by."""

from __future__ import annotations

from collections.abc import Mapping

from foldwise.config.plan import BlendConfig
from foldwise.config.recipe import Recipe


def generations(recipes: Mapping[str, Recipe], blends: Mapping[str, BlendConfig]) -> dict[str, int]:
    """Recipe → 0, or one more than the last of those it needs.

    Second-level recipes come after the networks in any case. Recipes were checked: none needs
    itself.

    >>> from foldwise.config.recipe import Recipe
    >>> net = {"model": {"name": "small_cnn"}}
    >>> student = {**net, "pseudo": {"run": "a"}}
    >>> recipes = {"b": Recipe.model_validate(student), "a": Recipe.model_validate(net)}
    >>> generations(recipes, {})
    {'b': 1, 'a': 0}
    """

    def generation(name: str) -> int:
        recipe = recipes[name]
        needed = [*recipe.sources, *teacher_runs(recipe, blends)]
        before = [generation(other) for other in needed if other in recipes]
        return 1 + max(before, default=0) if before else int(recipe.is_second_level)

    return {name: generation(name) for name in recipes}


def teacher_runs(recipe: Recipe, blends: Mapping[str, BlendConfig]) -> list[str]:
    """Runs that label test rows for a recipe; instead of a plan's blend those it is made of."""
    found, waiting = list[str](), list(recipe.teachers)
    while waiting:
        name = waiting.pop(0)
        members = blends[name].members if name in blends else ()
        if members and members != "all":
            waiting += [member.removesuffix("/reference") for member in members]
        else:
            found.append(name)
    return found
