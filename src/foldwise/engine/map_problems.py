"""What a recipe cannot ask for since its network answers pixels, or since it does not."""

from __future__ import annotations

from collections.abc import Iterator

from foldwise.config.competition import Competition
from foldwise.config.recipe import Recipe
from foldwise.engine.frozen import Problem
from foldwise.parts import name_of
from foldwise.tasks.presence import PRESENCE
from foldwise.tasks.task import Task

#: Steps before the cache that leave every pixel in its place.
_IN_PLACE = ("ben", "grey")


def map_problems(recipe: Recipe, competition: Competition, task: Task) -> Iterator[Problem]:
    """Keys that cannot be honoured for the kind of answers that the task wants.

    Args:
        recipe: resolved.
        competition: what is asked.
        task: that the recipe is asked.
    """
    if recipe.target == PRESENCE and competition.masks is None:
        yield Problem(
            "target",
            f"{PRESENCE}: which classes masks show is asked, and task {task.name} has no masks",
            "take it out",
        )
    if recipe.target == PRESENCE and recipe.external:
        yield Problem(
            "external",
            f"such rows have no masks, and target: {PRESENCE} asks which classes masks show",
            "take it out",
        )
    if task.kind != "map":
        yield from _of_masks(recipe, task)
        return
    if recipe.is_second_level:
        yield Problem(
            "features",
            f"a second-level model gives one answer for an image, and task {task.name} asks for "
            "masks",
            f"use a network with a decoder; or set target: {PRESENCE}, for a gate",
        )
        return
    yield from _network(recipe, task)
    yield from _formulation(recipe, competition, task)
    yield from _pixels(recipe)
    yield from _training(recipe)


def _of_masks(recipe: Recipe, task: Task) -> Iterator[Problem]:
    """What only masks have."""
    if recipe.model.decoder is not None:
        yield Problem(
            "model.decoder",
            f"{name_of(recipe.model.decoder)} makes masks, and task {task.name} asks for none",
            "take it out",
        )
    if recipe.input.fit == "native":
        yield Problem(
            "input.fit",
            f"native: only masks are found in images of their own sizes, and task {task.name} asks "
            "for none",
            "use stretch, pad or shorter_side",
        )


def _network(recipe: Recipe, task: Task) -> Iterator[Problem]:
    """A network that gives one vector for an image, or that is kept as it is."""
    model = recipe.model
    if model.decoder is None and ":" not in model.name:
        yield Problem(
            "model.decoder",
            f"missing: task {task.name} asks for masks, and {model.name} gives one vector for an "
            "image",
            f"set it, such as decoder: unet; or target: {PRESENCE}, for a gate",
        )
    if recipe.freeze == "backbone":
        yield Problem(
            "freeze",
            "backbone: features are kept of whole images, and masks need the maps behind them",
            "use freeze: none, with train.trainable: head to train the decoder alone",
        )


def _formulation(recipe: Recipe, competition: Competition, task: Task) -> Iterator[Problem]:
    """Classes share a softmax that may overlap, or lie nowhere."""
    name = recipe.formulation or task.default_formulation
    formulation, masks = task.formulations.get(name), competition.masks
    if formulation is None or masks is None:
        return  # Told elsewhere.
    if formulation.is_exclusive and not masks.exclusive:
        others = [other for other, f in task.formulations.items() if not f.is_exclusive]
        yield Problem(
            "formulation",
            f"{name} gives each pixel one class, and masks.exclusive in competition.yaml is false",
            f"use {' or '.join(others)}; or set masks.exclusive, if each pixel has one class",
        )


def _pixels(recipe: Recipe) -> Iterator[Problem]:
    """Pixels of the input of which nobody could say where they lie in the image."""
    if recipe.input.fit == "native":
        yield from _windows(recipe)
    elif recipe.input.fit != "stretch":
        yield Problem(
            "input.fit",
            f"{recipe.input.fit}: masks are laid over all of an image and brought back to its "
            "size, which only a stretched one allows",
            "use stretch, or native",
        )
    for place, step in enumerate(recipe.input.steps):
        if name_of(step) not in _IN_PLACE:
            yield Problem(
                f"input.steps.{place}",
                f"{name_of(step)} cuts images, and masks are not cut with them",
                "take it out",
            )
    if recipe.input.draws == "independent":
        yield Problem(
            "input.draws",
            "independent: one mask cannot follow images that are moved each by itself",
            "use shared",
        )


def _windows(recipe: Recipe) -> Iterator[Problem]:
    """Images of their own sizes that are trained on whole, squeezed into the input's size."""
    if "mask_crop" not in map(name_of, recipe.augment):
        yield Problem(
            "input.fit",
            "native: images are scored at their own size, and would be trained on squeezed",
            "add mask_crop to augment, which cuts windows of input.size; or use stretch",
        )
    for place, stage in enumerate(recipe.train.schedule.stages):
        if not stage.augment:
            yield Problem(
                f"train.schedule.stages.{place}.augment",
                "false: the stage would train on whole images, squeezed, and fit: native scores "
                "them at their own size",
                "set it to true",
            )


def _training(recipe: Recipe) -> Iterator[Problem]:
    """Training by what each sample has once, a label or a score, and pixels have not."""
    if recipe.mix is not None:
        yield Problem(
            "mix",
            f"{name_of(recipe.mix)} mixes labels of whole images, and pixels have masks",
            "take it out",
        )
    for key, given in (("external", recipe.external), ("pseudo", recipe.pseudo)):
        if given:
            yield Problem(key, "such rows have labels of whole images, and no masks", "take it out")
    if recipe.train.stop != "fixed":
        yield Problem(
            "train.stop",
            f"{recipe.train.stop} chooses the epoch by the score of each, and masks are scored "
            "once training is over",
            "use fixed",
        )
