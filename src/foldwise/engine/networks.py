"""From a recipe's model to the network it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foldwise.config.recipe import Recipe
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.columns import ColumnEncoder
from foldwise.models.network import Network
from foldwise.models.prototypes import Prototypes
from foldwise.models.segmentation import build_masks
from foldwise.models.siamese import Siamese
from foldwise.models.weights import Weights
from foldwise.tasks.task import Formulation


def build_network(
    recipe: Recipe,
    formulation: Formulation,
    *,
    num_classes: int,
    num_images: int,
    weights: Weights | None,
    columns: ColumnEncoder | None,
    auxiliary: Sequence[int],
    corrects_prior: bool,
    gives_maps: bool,
    first_logits: Sequence[float] | None,
    code: Path,
) -> Network:
    """A fresh network of a recipe.

    Args:
        recipe: resolved.
        formulation: how the task is put to the network.
        num_classes: of the task.
        num_images: of a sample.
        weights: what it starts from; None: from scratch.
        columns: makes features of table columns; None: there are none.
        auxiliary: outputs of the head of each further label.
        corrects_prior: whether numbers are added to its logits later.
        gives_maps: whether it answers each pixel.
        first_logits: what the last layer of masks begins from; None: 0.
        code: folder of the competition's own code.

    Raises:
        ConfigError: it cannot be built.
    """
    config = recipe.model
    several, shallow = config.multi_sample_dropout, config.shallow
    additions = Additions(
        pool=config.pool,
        multi_sample=None if several is None else (several.samples, several.p),
        branch=config.branch is not None,
        shallow=None if shallow is None else (shallow.width, shallow.depth),
        columns=columns,
        auxiliary=auxiliary,
        siamese=siamese_of(recipe, num_images),
        prototypes=_prototypes_of(recipe, formulation),
    )
    if gives_maps:
        return build_masks(
            name=config.name,
            decoder=config.decoder,
            num_outputs=formulation.num_outputs(num_classes),
            channels=recipe.input.channels,
            num_images=num_images,
            size=recipe.input.size,
            drop=config.drop,
            drop_path=config.drop_path,
            options=config.options,
            weights=weights,
            code=code,
            additions=additions,
            presence=config.presence is not None,
            first_logits=first_logits,
        )
    return build(
        name=config.name,
        num_outputs=formulation.num_outputs(num_classes),
        channels=recipe.input.channels,
        num_images=num_images,
        size=recipe.input.size,
        drop=config.drop,
        drop_path=config.drop_path,
        options=config.options,
        weights=weights,
        code=code,
        with_offset=corrects_prior,
        shares_weights=formulation.shares_weights,
        additions=additions,
    )


def siamese_of(recipe: Recipe, num_images: int) -> Siamese | None:
    """How the images of a sample go through the network apart; None: it takes them as one.

    Raises:
        ConfigError: there are not as many images as the joins want.
    """
    config = recipe.model.siamese
    return None if config is None else Siamese(num_images, recipe.input.channels, config.joins)


def _prototypes_of(recipe: Recipe, formulation: Formulation) -> Prototypes | None:
    if not formulation.has_prototypes:
        return None
    config = recipe.model.prototypes
    return Prototypes(config.per_class, config.sigma, config.embedding)
