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


def bound_loss(recipe: Recipe, default: str, code: Path) -> Loss:
    """The recipe's loss, or its sum of losses with each as a term.

    Args:
        recipe: resolved; its losses fit its formulation.
        default: the formulation's own loss.
        code: folder of the competition's own code.

    Raises:
        ConfigError: a loss is unknown or has no such option, or is a statistic of a batch that is
            cut into parts.
    """
    terms = weighted_parts(recipe.loss or default)
    bound = [parts.bind(LOSSES, spec, what="loss", code=code) for spec, _ in terms]
    names = [name_of(spec) for spec, _ in terms]
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
