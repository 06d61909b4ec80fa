"""From a resolved second-level recipe to its head and its formulation."""

from __future__ import annotations

from collections.abc import Callable

from foldwise import parts
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError
from foldwise.models.second_level import HEADS
from foldwise.models.second_level.rows import Arrays, TrainRows
from foldwise.parts import name_of
from foldwise.tasks.task import Formulation, Task


def bound_head(recipe: Recipe) -> Callable[[TrainRows], Arrays]:
    """The recipe's head with its options.

    Raises:
        ConfigError: unknown head, unknown option, or a wrong value.
    """
    assert recipe.head is not None
    fits = {name: head.fit for name, head in HEADS.items()}
    return parts.bind(fits, recipe.head, what="head")


def chosen_formulation(task: Task, recipe: Recipe) -> tuple[str, Formulation]:
    """How the task is put to the head: as the recipe says, or the first way that fits it.

    Raises:
        ConfigError: the task has no such formulation, or none that the head can answer.
    """
    assert recipe.head is not None
    head = name_of(recipe.head)
    kinds = parts.find(HEADS, recipe.head, what="head").kinds
    solved = {name: found for name, found in task.formulations.items() if found.solver is not None}
    if recipe.formulation is not None:
        asked: Formulation = parts.find(task.formulations, recipe.formulation, what="formulation")
        if asked.solver is None:
            raise ConfigError(
                f"formulation {recipe.formulation} has a head that trains with its network, and "
                "cannot be fitted on features",
                remedy=f"formulations that can: {', '.join(solved)}",
            )
        choices = {recipe.formulation: asked}
    else:
        choices = solved
    for name, formulation in choices.items():
        if formulation.solver in kinds:
            return name, formulation
    wanted = {formulation.solver for formulation in choices.values()}
    able = [name for name, other in HEADS.items() if wanted & set(other.kinds)]
    fitting = [name for name, f in task.formulations.items() if f.solver in kinds]
    remedy = f"heads for it: {', '.join(able)}"
    if fitting:
        remedy += f"; or a formulation for {head}: {', '.join(fitting)}"
    raise ConfigError(
        f"head {head} cannot answer {' or '.join(choices)} of task {task.name}", remedy=remedy
    )
