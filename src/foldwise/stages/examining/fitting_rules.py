"""Rules on what is learned: formulation, loss, mixing, class balance, batches, folds."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from itertools import starmap

from foldwise.config.recipe import Recipe
from foldwise.engine.frozen import Problem
from foldwise.engine.map_problems import map_problems
from foldwise.engine.unfit import loss_problems, mix_problems
from foldwise.errors import ConfigError
from foldwise.stages.examining import unhonoured
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.tasks.balancing import bound_balance
from foldwise.tasks.task import Task

#: Batch statistics of fewer images than this are noise.
_FEWEST_FOR_NORM = 4


def formulation(case: RecipeCase) -> Iterator[Fault]:
    """The task has no such formulation."""
    known, name = case.ground.task.formulations, case.formulation
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        yield error(
            "formulation",
            f"{name}: task {case.ground.task.name} has none of that name"
            + (f"; did you mean {near[0]}?" if near else ""),
            f"known: {', '.join(known)}",
        )


def loss_fit(case: RecipeCase) -> Iterator[Fault]:
    """The loss reads the network's outputs otherwise than the formulation."""
    yield from _unfit(loss_problems, case)


def mix_fit(case: RecipeCase) -> Iterator[Fault]:
    """The formulation's targets cannot be mixed, or what goes with the images is not."""
    yield from _unfit(mix_problems, case)


def map_fit(case: RecipeCase) -> Iterator[Fault]:
    """The task wants masks, or none, and what is asked for goes with the other."""
    yield from starmap(error, map_problems(case.recipe, case.ground.competition, case.ground.task))


def imbalance(case: RecipeCase) -> Iterator[Fault]:
    """Classes cannot be balanced that way, or there are none to balance."""
    if case.formulation not in case.ground.task.formulations:
        return
    try:
        bound_balance(case.recipe.imbalance, case.ground.task, case.formulation)
    except ConfigError as problem:
        for text in problem.problems:
            yield error("imbalance", text, problem.remedy)


def batch_size(case: RecipeCase) -> Iterator[Fault]:
    """A batch is larger than what there is to train on."""
    rows, batch = case.ground.num_training_rows, case.recipe.train.batch
    if rows is not None and batch > rows:
        yield warning(
            "train.batch",
            f"{batch} images, while the smallest training fold has {rows}: one step an epoch",
            f"try {max(1, rows // 8)}",
        )


def tiny_parts(case: RecipeCase) -> Iterator[Fault]:
    """A batch is cut into more parts than it has images, or into parts too small to normalise."""
    train = case.recipe.train
    if too_many := list(unhonoured.too_many_parts(case.recipe)):
        yield from too_many
        return
    each = train.batch // train.accumulate
    if each < _FEWEST_FOR_NORM and train.norm == "train" and not case.is_frozen:
        key = "train.accumulate" if train.accumulate > 1 else "train.batch"
        yield warning(
            key,
            f"batch norm takes its statistics from {each} images at a time, which is noise",
            "use larger parts, norm: frozen with pretrained weights, or a network without batch "
            "norm",
        )


def unknown_fold(case: RecipeCase) -> Iterator[Fault]:
    """A fold is asked for that there is not."""
    wanted = case.recipe.folds
    if wanted == "all":
        return
    known = list(range(case.ground.num_folds))
    if case.ground.folds is not None:
        known = sorted(set(case.ground.folds.tolist()))
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        yield error(
            "folds",
            f"there is no fold {', '.join(map(str, unknown))}",
            f"there are {', '.join(map(str, known))}",
        )


def _unfit(
    find: Callable[[Recipe, Task, str], Iterator[Problem]], case: RecipeCase
) -> Iterator[Fault]:
    """What is found of a recipe whose formulation is known; else that is its only fault."""
    if case.formulation in case.ground.task.formulations:
        yield from starmap(error, find(case.recipe, case.ground.task, case.formulation))


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "formulation": formulation,
    "loss-fit": loss_fit,
    "mix-fit": mix_fit,
    "map-fit": map_fit,
    "imbalance": imbalance,
    "batch-size": batch_size,
    "tiny-parts": tiny_parts,
    "unknown-fold": unknown_fold,
}
