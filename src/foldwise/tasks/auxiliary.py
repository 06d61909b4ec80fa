"""Further labels of the train rows, which help to learn the one asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.config.describing import nearest
from foldwise.config.recipe import AuxiliaryConfig
from foldwise.errors import ConfigError
from foldwise.tables import floats, is_missing, texts
from foldwise.tasks.labels import natural_order, whole
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Auxiliary:
    """A further label.

    Attributes:
        column: its name.
        weight: of its loss beside the one of the label.
        classes: in order; none for a number.
        target: (N,) float64 of all train rows, a class's position or the number; NaN where
            missing.
    """

    column: str
    weight: float
    classes: tuple[str, ...]
    target: np.ndarray

    @property
    def num_outputs(self) -> int:
        """Outputs of its head."""
        return len(self.classes) or 1


def read_auxiliary(problem: Problem, configs: Sequence[AuxiliaryConfig]) -> tuple[Auxiliary, ...]:
    """The further labels that a recipe names.

    Raises:
        ConfigError: one is no column of train, the label itself, named twice, or the same in all
            rows; all problems at once.
        DataError: cells of a column of numbers that are none, named by line.
    """
    problems: list[str] = []
    found: list[Auxiliary] = []
    for place, config in enumerate(configs):
        name = config.column
        why = _why_not(problem, name)
        if why is None and name in [known.column for known in found]:
            why = "stands there twice"
        if why is None:
            found.append(_read(problem, config))
        else:
            problems.append(f"auxiliary.{place}: {name}: {why}")
    if problems:
        raise ConfigError(*problems, remedy="take it out, or name another column")
    return tuple(found)


def _read(problem: Problem, config: AuxiliaryConfig) -> Auxiliary:
    table, name = problem.train.table, config.column
    if config.task == "number":
        target = floats(table, name, allow_missing=True)
        return Auxiliary(name, config.weight, (), target)
    cells = texts(table, name)
    missing = is_missing(cells)
    names = [str(cell) for cell in cells[~missing]]
    classes = natural_order(names)
    position = {label: place for place, label in enumerate(classes)}
    target = np.full(len(cells), np.nan)
    # As in `natural_order`, which writes 3.0 as 3 where all are whole numbers.
    target[~missing] = [
        position[label] if label in position else position[whole(label)] for label in names
    ]
    return Auxiliary(name, config.weight, classes, target)


def _why_not(problem: Problem, name: str) -> str | None:
    """Why a column cannot be a further label; None: it can."""
    train = problem.train
    if name in problem.competition.columns.target:
        return "is the label itself"
    if name not in train.columns:
        near = nearest(name, train.columns)
        return "train has no such column" + (f"; did you mean {near}?" if near else "")
    cells = np.array(train.cells(name), dtype=object)
    if len(set(cells[~is_missing(cells)])) < 2:
        return "says the same of all rows, so there is nothing to learn"
    return None
