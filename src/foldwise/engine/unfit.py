"""Losses and mixes that do not fit a recipe's formulation, or what goes with its images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foldwise.config.recipe import Recipe
from foldwise.config.weighted import weighted_parts
from foldwise.engine.frozen import Problem
from foldwise.errors import ConfigError
from foldwise.parts import name_of
from foldwise.tasks import TASKS
from foldwise.tasks.task import Task


def loss_problems(recipe: Recipe, task: Task, formulation: str) -> Iterator[Problem]:
    """Losses that read the network's outputs otherwise than the formulation.

    Args:
        recipe: resolved.
        task: of the competition.
        formulation: of the task, by name.
    """
    fitting = task.formulations[formulation].losses
    known = {
        loss for each in TASKS.values() for f in each.formulations.values() for loss in f.losses
    }
    names = [name_of(spec) for spec, _ in weighted_parts(recipe.loss)] if recipe.loss else []
    for name in names:
        # What nobody knows, and the user's own, is bound or refused by `parts`.
        if name in known and name not in fitting:
            yield Problem(
                "loss",
                f"{name} does not fit formulation {formulation}",
                f"losses for it: {', '.join(fitting)}",
            )


def mix_problems(recipe: Recipe, task: Task, formulation: str) -> Iterator[Problem]:
    """A mix of what belongs to single images, or of targets whose mixture has no meaning.

    Args:
        recipe: resolved.
        task: of the competition.
        formulation: of the task, by name.
    """
    if recipe.mix is None:
        return
    name = name_of(recipe.mix)
    asked = {"model.columns": recipe.model.columns, "auxiliary": recipe.auxiliary}
    if unmixed := " and ".join(key for key, given in asked.items() if given):
        yield Problem(
            "mix",
            f"{name} mixes images and their labels, but not {unmixed}",
            f"take out mix, or {unmixed}",
        )
    reason = task.formulations[formulation].unmixable
    if reason is not None:
        others = [other for other, f in task.formulations.items() if f.unmixable is None]
        yield Problem(
            "mix",
            f"{name} mixes targets, and formulation {formulation} has {reason}",
            f"take mix out, or use formulation: {', '.join(others)}",
        )


def refuse(problems: Iterable[Problem]) -> None:
    """Raise all problems of one key, which is said by who knows its place.

    Raises:
        ConfigError: there are some.
    """
    if found := list(problems):
        remedies = dict.fromkeys(problem.remedy for problem in found)
        raise ConfigError(*(problem.found for problem in found), remedy="; ".join(remedies))
