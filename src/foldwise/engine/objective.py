"""What is minimised: a recipe's loss, or its weighted sum of losses."""

from __future__ import annotations

from pathlib import Path

from foldwise import parts
from foldwise.config.recipe import Recipe
from foldwise.config.weighted import weighted_parts
from foldwise.errors import ConfigError
from foldwise.losses import LOSSES
from foldwise.losses.terms import Loss, is_of_batch, summed
from foldwise.parts import name_of
from foldwise.tasks.task import Formulation


def bound_loss(recipe: Recipe, name: str, formulation: Formulation, code: Path) -> Loss:
    """The recipe's loss, or its sum of losses with each as a term.

    Args:
        recipe: resolved.
        name: of the formulation.
        formulation: how the task is put to the network.
        code: folder of the competition's own code.

    Raises:
        ConfigError: a loss is unknown or has no such option, reads the network's outputs
            otherwise than the formulation, or is a statistic of a batch that is cut into parts.
    """
    terms = weighted_parts(recipe.loss or formulation.loss)
    bound = [parts.bind(LOSSES, spec, what="loss", code=code) for spec, _ in terms]
    names = [name_of(spec) for spec, _ in terms]
    strange = [loss for loss in names if loss in LOSSES and loss not in formulation.losses]
    if strange:
        raise ConfigError(
            *(f"loss {loss} does not fit formulation {name}" for loss in strange),
            remedy=f"losses for it: {', '.join(formulation.losses)}",
        )
    cut = [loss for loss, function in zip(names, bound, strict=True) if is_of_batch(function)]
    if cut and recipe.train.accumulate > 1:
        raise ConfigError(
            f"loss {cut[0]} is a statistic of the whole batch, which train.accumulate: "
            f"{recipe.train.accumulate} cuts into parts",
            remedy="use accumulate: 1 with a smaller batch, or another loss",
        )
    if not isinstance(recipe.loss, tuple):
        return bound[0]
    weights = [weight for _, weight in terms]
    return summed(dict(zip(names, zip(bound, weights, strict=True), strict=True)))
