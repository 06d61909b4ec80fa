"""What a recipe whose backbone is frozen cannot ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from foldwise.config.recipe import Recipe
from foldwise.config.training import LastBlocks
from foldwise.parts import name_of, options_of


class Problem(NamedTuple):
    """A key that cannot be honoured.

    Attributes:
        key: dotted key of the recipe.
        found: what is wrong with it.
        remedy: what would do.
    """

    key: str
    found: str
    remedy: str


def random_features(recipe: Recipe) -> Iterator[Problem]:
    """The backbone has never seen an image."""
    if recipe.freeze == "backbone" and recipe.model.pretrained is False:
        yield Problem(
            "freeze",
            "backbone: the network has no pretrained weights, its features are random",
            "set model.pretrained, or freeze: none",
        )


def unused_parts(recipe: Recipe) -> Iterator[Problem]:
    """Features are computed once, so images cannot be changed from epoch to epoch."""
    if recipe.freeze != "backbone":
        return
    if recipe.augment:
        names = ", ".join(name_of(spec) for spec in recipe.augment)
        yield Problem(
            "augment",
            f"{names} cannot be honoured: freeze: backbone computes features once",
            "take it out, add views, or use freeze: none with trainable: head",
        )
    if recipe.mix is not None:
        yield Problem(
            "mix",
            f"{name_of(recipe.mix)} cannot be honoured: freeze: backbone computes features once",
            "take it out, or use freeze: none",
        )
    stages = recipe.train.schedule.stages
    keys = ["train.sizes"] if recipe.train.sizes else []
    keys += [f"train.schedule.stages.{i}.size" for i, stage in enumerate(stages) if stage.size]
    for key in keys:
        yield Problem(
            key,
            "cannot be honoured: freeze: backbone computes features once, at input.size",
            "take it out, or use freeze: none",
        )


def unused_training(recipe: Recipe) -> Iterator[Problem]:
    """The head trains alone, so nothing can be asked of the backbone's layers."""
    if recipe.freeze != "backbone":
        return
    if "layer_decay" in options_of(recipe.train.optimizer):
        yield Problem(
            "train.optimizer",
            "layer_decay cannot be honoured: freeze: backbone trains the head alone",
            "take layer_decay out, or use freeze: none",
        )
    for key, what in _trained(recipe):
        yield Problem(
            key,
            f"{what} cannot be honoured: freeze: backbone trains the head alone",
            "use head or take it out, or use freeze: none",
        )
    if recipe.train.compile is True:
        yield Problem(
            "train.compile",
            "true cannot be honoured: freeze: backbone trains the head alone",
            "take it out, or use freeze: none",
        )
    if recipe.train.norm_update:
        yield Problem(
            "train.norm_update",
            "true cannot be honoured: freeze: backbone passes no images through its norms",
            "take it out, or use freeze: none",
        )


def _trained(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Keys that ask for the training of certain layers, and which."""
    asked: dict[str, str | LastBlocks] = {"train.trainable": recipe.train.trainable}
    stages = recipe.train.schedule.stages
    asked |= {f"train.schedule.stages.{i}.trainable": s.trainable for i, s in enumerate(stages)}
    for key, what in asked.items():
        # `all` is the default, and all there is to train is the head.
        if what not in ("head", "all"):
            yield key, what if isinstance(what, str) else f"last: {what['last']}"


def untrained_parts(recipe: Recipe) -> Iterator[Problem]:
    """What is added to a network must train; only the head does."""
    stages, train = recipe.train.schedule.stages, recipe.train
    is_frozen = recipe.freeze == "backbone"
    if not is_frozen and (stages or train.epochs):
        return
    why = "freeze: backbone trains the head alone" if is_frozen else "epochs: 0 trains nothing"
    model = recipe.model
    pool = None if model.pool is None else name_of(model.pool)
    asked = {
        "model.pool": pool == "attention",
        "model.branch": model.branch is not None,
        "model.shallow": model.shallow is not None,
        "auxiliary": bool(recipe.auxiliary),
    }
    for key in (key for key, is_asked in asked.items() if is_asked):
        what = f"{pool}: " if key == "model.pool" else ""
        yield Problem(
            key,
            f"{what}it would stay as it starts: {why}",
            "take it out, or use freeze: none and epochs",
        )


#: Rule of the doctor → what finds it.
FROZEN_RULES = {
    "random-features": random_features,
    "frozen-augment": unused_parts,
    "frozen-training": unused_training,
    "untrained-parts": untrained_parts,
}


def frozen_problems(recipe: Recipe) -> dict[str, list[Problem]]:
    """Rule → its problems; empty where the recipe is in order or its backbone trains."""
    found = {rule: list(find(recipe)) for rule, find in FROZEN_RULES.items()}
    return {rule: problems for rule, problems in found.items() if problems}
