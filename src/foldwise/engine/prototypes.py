"""What a recipe whose head is made of class prototypes cannot ask for."""

from __future__ import annotations

from collections.abc import Iterator

from foldwise.config.network import PrototypesConfig
from foldwise.config.recipe import Recipe
from foldwise.engine.frozen import Problem
from foldwise.tasks.task import Formulation


def prototype_problems(recipe: Recipe, name: str, formulation: Formulation) -> Iterator[Problem]:
    """Keys that do not go with prototypes, or options of prototypes that there are none of.

    Args:
        recipe: resolved.
        name: of the formulation.
        formulation: how the task is put to the network.
    """
    if not formulation.has_prototypes:
        if recipe.model.prototypes != PrototypesConfig():
            yield Problem(
                "model.prototypes",
                f"the head of formulation {name} is a linear layer without prototypes",
                "take it out, or use formulation: affinity of task multiclass",
            )
        return
    yield from _unsolved(recipe, name)
    model = recipe.model
    asked = {
        "model.multi_sample_dropout": model.multi_sample_dropout is not None,
        "model.branch": model.branch is not None,
    }
    for key in (key for key, is_asked in asked.items() if is_asked):
        yield Problem(
            key,
            f"it learns by logits of a linear layer, which formulation {name} does not have",
            "take it out, or use another formulation",
        )


def _unsolved(recipe: Recipe, name: str) -> Iterator[Problem]:
    """Prototypes are trained; there is no solution of them on frozen features."""
    why = f"the prototypes of formulation {name} cannot be solved for"
    if recipe.freeze == "backbone":
        yield Problem(
            "freeze",
            f"backbone starts from a solved head, and {why}",
            "use freeze: none with train: {head_start: false, trainable: head}",
        )
    elif recipe.model.pretrained is not False and recipe.train.head_start:
        yield Problem("train.head_start", f"true: {why}", "set it to false")
    if not recipe.train.schedule.stages and not recipe.train.epochs:
        yield Problem(
            "train.epochs",
            f"0 trains nothing, and {why}: they would stay as they start",
            "train some epochs",
        )
