"""Table columns beside the image: which may be used, what kind they are, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise import parts
from foldwise.config.describing import nearest
from foldwise.errors import ConfigError
from foldwise.models.columns import Kind, category_values, number_values
from foldwise.samples import Samples
from foldwise.tables import floats, is_missing, is_number, texts
from foldwise.tasks.labels import whole
from foldwise.tasks.problem import Problem

#: More categories than this are names of things rather than kinds of them.
_MOST_CATEGORIES = 256


@dataclass(frozen=True)
class Column:
    """A column that joins the features.

    Attributes:
        name: in the tables.
        kind: number or category.
    """

    name: str
    kind: Kind


def column(*, kind: Literal["auto", "number", "category"] = "auto") -> Literal["auto"] | Kind:
    """A column of a recipe.

    Args:
        kind: what its cells are; auto: numbers if all that train has are, else categories.
    """
    return kind


def read_columns(problem: Problem, specs: Sequence[parts.Spec]) -> tuple[Column, ...]:
    """The columns that a recipe names, checked; their kinds by the train rows alone.

    Args:
        problem: competition and tables.
        specs: columns by name, with their options.

    Raises:
        ConfigError: one stands there twice, is not in both tables, or tells nothing about a row
            that is new: an id, a file, a group, the label itself; all problems at once.
    """
    problems: list[str] = []
    found: list[Column] = []
    for spec in specs:
        name = parts.name_of(spec)
        options = parts.checked_options(column, parts.options_of(spec), what=f"column {name}")
        why = _why_not(problem, name)
        if why is None and name in [known.name for known in found]:
            why = "stands there twice"
        if why is not None:
            problems.append(f"{name}: {why}")
            continue
        kind = column(**options)
        cells = texts(problem.train.table, name)
        if kind == "auto":
            known = cells[~is_missing(cells)]
            kind = "number" if all(map(is_number, known)) else "category"
        num_categories = len(set(cells))
        if kind == "category" and num_categories > _MOST_CATEGORIES:
            problems.append(
                f"{name}: has {num_categories} categories, {_MOST_CATEGORIES} at most are taken"
            )
        found.append(Column(name, kind))
    if problems:
        raise ConfigError(*problems, remedy="take it out, or name another column")
    return tuple(found)


def column_values(columns: Sequence[Column], samples: Samples) -> np.ndarray:
    """The values of rows of one split, as a `ColumnEncoder` takes them.

    Returns:
        (N, K, 2) float32; NaN where missing.

    Raises:
        DataError: cells of a column of numbers that are none, named by line.
    """
    found = np.empty((len(samples), len(columns), 2), dtype=np.float32)
    for place, each in enumerate(columns):
        if each.kind == "number":
            found[:, place] = number_values(floats(samples.table, each.name, allow_missing=True))
        else:
            cells = texts(samples.table, each.name)
            found[:, place] = category_values(list(map(whole, cells)), is_missing(cells))
    return found


def _why_not(problem: Problem, name: str) -> str | None:
    """Why a column cannot be an input; None: it can."""
    competition = problem.competition
    columns = competition.columns
    if name in columns.target:
        return "is the label"
    if name in (columns.id, *competition.images.file_columns):
        return "names the row or its file, which says nothing about a new one"
    if name in columns.group:
        return "is a group: rows to be answered are of groups that no training row is of"
    if name not in problem.train.columns or not _has_values(problem.train, name):
        near = nearest(name, problem.train.columns)
        return "train has no values in it" + (f"; did you mean {near}?" if near else "")
    if not _has_values(problem.test, name):
        return "test has no values in it, and what test lacks cannot be an input"
    return None


def _has_values(samples: Samples, name: str) -> bool:
    cells = np.array(samples.cells(name), dtype=object)
    return not bool(is_missing(cells).all())
