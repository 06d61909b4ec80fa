"""What a run's network was fed: its first training batch, made again from the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.data.inputs import cache_spec
from foldwise.errors import FoldwiseError
from foldwise.parts import name_of
from foldwise.stages.reporting.pictures import Picture, encoded
from foldwise.stages.scoring.error_tables import in_words
from foldwise.tasks.problem import Problem
from foldwise.views import views_of

_NUM_SHOWN = 16


@dataclass(frozen=True)
class Fed:
    """A batch as the network saw it.

    Attributes:
        pictures: the first images of the batch.
        labels: what each was to be answered.
        sentence: which batch it is and what was done to the images.
        problem: why there is none; "" if there is.
    """

    pictures: tuple[Picture, ...]
    labels: tuple[str, ...]
    sentence: str
    problem: str = ""


def fed_batch(problem: Problem, record: dict[str, Any]) -> Fed:
    """The first images of epoch 1 of a run's first fold and seed.

    Order and augmentation draws depend on seed, fold, epoch and sample alone, so they are what
    training saw, as long as data, folds and code have not changed since.
    """
    try:
        recipe = from_values(record["recipe"], Recipe, source="run.json")
        cache_spec(problem.home, recipe.input)  # Before torch is imported for nothing.
        fold = int(np.unique(problem.folds)[0]) if recipe.folds == "all" else recipe.folds[0]
        rows = np.flatnonzero((problem.folds != fold) & ~problem.gap_rows(fold))
        images, chosen = _first_batch(problem, recipe, rows, record["seeds"][0], fold)
    except (FoldwiseError, OSError) as error:
        return Fed((), (), "", f"cannot be shown: {error}")
    channels = recipe.input.channels
    # Images under their masks are in three channels, however many they have.
    channels = min(channels, images.shape[3])
    pictures = tuple(encoded(_for_eyes(image, channels)) for image in images)
    labels = in_words(problem.target[rows[chosen]], problem.competition.classes)
    sentence = _sentence(recipe, images.shape[1], fold, record["seeds"][0])
    return Fed(pictures, tuple(labels), sentence)


def _first_batch(
    problem: Problem, recipe: Recipe, rows: np.ndarray, seed: int, fold: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n, H, W, C) uint8 and (n,) places within `rows`, n at most 16."""
    # torch takes seconds to import, and of the report only this needs it.
    from foldwise.data.batches import eval_batches
    from foldwise.engine.assemble import Assembly
    from foldwise.engine.fitting import image_batches
    from foldwise.stages.examining.picture import marked

    train = recipe.train.model_copy(update={"workers": 0})
    assembly = Assembly(problem, recipe.model_copy(update={"train": train}))
    if recipe.freeze == "backbone":
        source = assembly.feed.source(problem.train.take(rows[:_NUM_SHOWN]))
        batch = next(iter(eval_batches(source, batch=len(source), workers=0)))
    else:
        made = image_batches(assembly, rows, seed=seed, fold=fold, epochs=assembly.epochs())
        batch = next(iter(made(0, 0)))
    images = batch.images[:_NUM_SHOWN]
    if batch.target is not None:
        images = marked(images, batch.target[:_NUM_SHOWN])
    return images.permute(0, 2, 3, 1).numpy(), batch.rows[:_NUM_SHOWN]


def _sentence(recipe: Recipe, side: int, fold: int, seed: int) -> str:
    size = f"{side} × {side} px"
    if recipe.freeze == "backbone":
        return (
            f"The backbone is frozen: whole images at {size}, no augmentation; views whose "
            f"features train the head: {', '.join(view.name for view in views_of(recipe.views))}."
        )
    names = ", ".join(map(name_of, recipe.augment)) or "none"
    mix = "" if recipe.mix is None else f" {name_of(recipe.mix)} came after this, on the batch."
    return (
        f"First batch of epoch 1 (fold {fold} held out, seed {seed}) at {size}. "
        f"Augmentation: {names}.{mix}"
    )


def _for_eyes(image: np.ndarray, channels: int) -> np.ndarray:
    """(H, V * W, 1 or 3) of V images stacked as channels, side by side."""
    apart = np.split(image, image.shape[2] // channels, axis=2)
    shown = 3 if channels >= 3 else 1
    return np.concatenate([each[:, :, :shown] for each in apart], axis=1)
