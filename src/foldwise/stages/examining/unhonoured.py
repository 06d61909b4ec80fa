"""Keys that a training would pass over: told by train, run and doctor alike, before any work."""

from __future__ import annotations

from collections.abc import Iterator

from foldwise.config.recipe import Recipe
from foldwise.errors import FoldwiseError
from foldwise.parts import name_of
from foldwise.stages.examining.finding import Fault, error
from foldwise.stages.recipes import Places, joined


def check_keys(recipe: Recipe, places: Places) -> None:
    """Check that every key that is given can be honoured, as far as keys alone tell.

    Raises:
        ConfigError: some cannot be; all at once, each by file, line and key.
    """
    faults = [
        *unused_keys(recipe, places),
        *unreached_rates(recipe),
        *too_long_average(recipe),
        *too_many_parts(recipe),
        *without_curves(recipe),
        *without_held_out_rows(recipe),
    ]
    if faults:
        raise joined(
            [places.error(f.key, FoldwiseError(f.message, remedy=f.remedy)) for f in faults]
        )


def unused_keys(recipe: Recipe, places: Places) -> Iterator[Fault]:
    """Keys that input or schedule does not read and that say other than they do."""
    if recipe.input.fit == "native" and "input.zoom" in places.given and recipe.input.zoom != 1:
        yield error(
            "input.zoom",
            f"{recipe.input.zoom:g} has no effect beside fit: native, which reads originals",
            "take it out; mask_crop has an option scale",
        )
    train, schedule = recipe.train, recipe.train.schedule
    parts = [name for name in ("warmup", "head", "hold") if getattr(schedule, name)]
    if schedule.stages:
        yield from _beside_stages(recipe, places)
        for name in parts:
            yield error(
                f"train.schedule.{name}",
                f"{getattr(schedule, name)} has no effect beside train.schedule.stages",
                "make it a stage, or set it to 0",
            )
        return
    # Without epochs there is no schedule: the head is solved.
    if not train.epochs or name_of(schedule.preset) != "cosine":
        return
    for name in parts:
        if name != "warmup":
            yield error(
                f"train.schedule.{name}",
                "preset cosine has no such part and would leave it out",
                "use preset: staged, or take it out",
            )


def _beside_stages(recipe: Recipe, places: Places) -> Iterator[Fault]:
    """What the stages replace; a recipe that extends another says there what its stages do."""
    train, stages = recipe.train, recipe.train.schedule.stages
    highest = max(max(stage.start_lr, stage.end_lr) for stage in stages)
    replaced = {
        "epochs": (train.epochs, train.num_epochs, "epochs in all"),
        "lr": (train.lr, highest, "as highest rate"),
        "min_lr": (train.min_lr, stages[-1].end_lr, "as last rate"),
    }
    for name, (given, own, what) in replaced.items():
        if f"train.{name}" in places.given and given != own:
            yield error(
                f"train.{name}",
                f"{given:g} has no effect beside train.schedule.stages, which have {own:g} {what}",
                f"change the stages, or set it to {own:g}",
            )
    trained = [stage.trainable for stage in stages if stage.trainable != "head"]
    if train.trainable != "all" and any(found != train.trainable for found in trained):
        yield error(
            "train.trainable",
            "has no effect beside train.schedule.stages, which say for each what trains",
            "give it to the stages, and set it to all here",
        )


def unreached_rates(recipe: Recipe) -> Iterator[Fault]:
    """Stages that stay at one rate and are given another to end at."""
    for index, stage in enumerate(recipe.train.schedule.stages):
        if stage.shape == "constant" and stage.end_lr != stage.start_lr:
            yield error(
                f"train.schedule.stages.{index}.end_lr",
                f"{stage.end_lr:g} is never reached: shape constant stays at {stage.start_lr:g}",
                "set end_lr to start_lr, or choose linear or cosine",
            )


def too_long_average(recipe: Recipe) -> Iterator[Fault]:
    """More last epochs are to be averaged than there are in the whole schedule."""
    wanted, there = recipe.train.average_last, recipe.train.num_epochs
    if wanted > there:
        yield error(
            "train.average_last",
            f"the last {wanted} epochs of {there} cannot be averaged",
            f"use at most {there}; a quarter of the epochs is usual",
        )


def too_many_parts(recipe: Recipe) -> Iterator[Fault]:
    """A batch is to be cut into more parts than it has images."""
    train = recipe.train
    if train.accumulate > train.batch:
        yield error(
            "train.accumulate",
            f"a batch of {train.batch} cannot be cut into {train.accumulate} parts",
            f"use at most {train.batch}",
        )


def without_curves(recipe: Recipe) -> Iterator[Fault]:
    """The epoch is to come from the other folds' curves, and there is no other fold."""
    folds = recipe.folds
    if recipe.train.stop == "cross" and folds != "all" and len(set(folds)) < 2:
        yield error(
            "train.stop",
            f"cross needs the curves of other folds, and folds is {list(folds)}",
            "train all folds, or use stop: fixed or inner",
        )


def without_held_out_rows(recipe: Recipe) -> Iterator[Fault]:
    """A model on all rows has no held-out rows to choose its epoch by."""
    stop = recipe.train.stop
    if recipe.refit == "all" and stop in ("cross", "validation"):
        yield error(
            "refit",
            f"all: a model on all rows holds no rows out, which stop: {stop} needs",
            "use stop: fixed or inner, or refit: none",
        )
