"""From a resolved second-level recipe to its head, its formulation and its columns."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Literal

from foldwise import parts
from foldwise.config.competition import Competition
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError
from foldwise.models.second_level import HEADS
from foldwise.models.second_level.columns import kind_of
from foldwise.models.second_level.rows import Arrays, TrainRows
from foldwise.parts import name_of
from foldwise.samples import Samples
from foldwise.tasks.task import Formulation, Task

Kinds = dict[str, Literal["number", "category"]]


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
    if recipe.formulation is not None:
        asked: Formulation = parts.find(task.formulations, recipe.formulation, what="formulation")
        choices = {recipe.formulation: asked}
    else:
        choices = dict(task.formulations)
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


def column_kinds(recipe: Recipe, competition: Competition, train: Samples, test: Samples) -> Kinds:
    """Column → number or category, as the recipe says or all train cells show.

    Raises:
        ConfigError: a column is absent in train or test, or is what is asked for.
    """
    known = _columns_of(train) & (_columns_of(test) if len(test) else _columns_of(train))
    known -= {competition.columns.id, *competition.columns.target}
    problems = []
    for column in recipe.table_columns:
        if column.name not in known:
            near = difflib.get_close_matches(column.name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"column {column.name!r} {_why(column.name, competition, train)}{hint}")
    if problems:
        listed = ", ".join(sorted(known)) or "none"
        raise ConfigError(*problems, remedy=f"columns with cells in train and test: {listed}")
    return {
        column.name: kind_of(train.cells(column.name)) if column.kind == "auto" else column.kind
        for column in recipe.table_columns
    }


def cells_of(samples: Samples, names: Sequence[str]) -> dict[str, list[str]]:
    """Column → cells of the rows."""
    return {name: samples.cells(name) for name in names}


def _columns_of(samples: Samples) -> set[str]:
    """Columns with at least one cell that is not empty; tables are joined with empty cells."""
    columns = [c for c in samples.frame.columns if c.startswith("cell:")]
    return {c.removeprefix("cell:") for c in columns if (samples.frame[c] != "").any()}


def _why(name: str, competition: Competition, train: Samples) -> str:
    if name in (competition.columns.id, *competition.columns.target):
        return "is the id or what is asked for, which no model may read"
    return "is absent in test" if name in _columns_of(train) else "is absent in train"
