"""In what two runs differ: the keys of their recipes, and whatever else was not the same."""

from __future__ import annotations

from foldwise.config.recipe import Recipe
from foldwise.config.writing import difference
from foldwise.stages.comparing.runs import Run
from foldwise.stages.training.prints import identity


def recipe_difference(reference: Run, challenger: Run) -> list[str] | None:
    """What changed from the reference's recipe to the challenger's, a line a key.

    Returns:
        Lines such as `train.lr: 0.001 -> 0.0003`; None unless both are runs of a recipe.
    """
    if not reference.kind == challenger.kind == "recipe":
        return None
    old, new = (
        identity(Recipe.model_validate(run.record["recipe"])) for run in (reference, challenger)
    )
    lines = difference(old, new)
    shortened = [run.record["epochs"] for run in (reference, challenger)]
    if shortened[0] != shortened[1]:
        was, now = ("as the recipe says" if n is None else n for n in shortened)
        lines.append(f"epochs trained: {was} -> {now}")
    if reference.record.get("code") != challenger.record.get("code"):
        lines.append("the competition's own code: changed between the two")
    return lines
