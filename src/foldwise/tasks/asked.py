"""Reads `competition.yaml`, and what it says of data and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.errors import ConfigError
from foldwise.external import check_rules
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.tasks import TASKS
from foldwise.tasks.task import Task


def load_competition(home: Home) -> tuple[Competition, Task]:
    """Read and check `competition.yaml`.

    Raises:
        ConfigError: as the loader says, or the task is unknown.
    """
    competition = load(home.competition, Competition)
    if competition.task not in TASKS:
        raise ConfigError(
            f"{home.competition}: task {competition.task!r} is unknown",
            remedy=f"known: {', '.join(TASKS)}",
        )
    task = TASKS[competition.task]
    least = 1 if task.kind == "map" else 2  # Of masks there may be one kind.
    if task.has_classes and len(competition.classes) < least:
        few = "a class" if least == 1 else "at least two classes"
        raise ConfigError(f"{home.competition}: classes: task {task.name} needs {few}")
    _check_prior(home, competition, task)
    _check_masks(home, competition, task)
    check_rules(home.competition, competition)
    return competition, task


def data_folder(home: Home, competition: Competition) -> Path:
    """The data folder, absolute."""
    return (home.path / competition.data).resolve()


def read_target(competition: Competition, task: Task, train: Samples) -> np.ndarray:
    """The target of train rows.

    Raises:
        DataError: cells that are no label, named with their file, line and column.
    """
    columns = competition.columns
    return task.target(train.table, columns.target, competition.classes, columns.separator)


def _check_masks(home: Home, competition: Competition, task: Task) -> None:
    if task.kind == "map" and competition.masks is None:
        raise ConfigError(
            f"{home.competition}: masks: task {task.name} needs to know where they are",
            remedy="such as masks: {kind: runs, column: rle, class_column: defect}",
        )
    if task.kind != "map" and competition.masks is not None:
        raise ConfigError(
            f"{home.competition}: masks: task {task.name} asks for none", remedy="take it out"
        )


def _check_prior(home: Home, competition: Competition, task: Task) -> None:
    prior = competition.test_prior
    if prior != "train" and not task.one_of_classes:
        raise ConfigError(
            f"{home.competition}: test_prior: {prior} has no meaning for task {task.name}",
            remedy="use test_prior: train",
        )
    unknown = set(prior) - set(competition.classes) if isinstance(prior, dict) else set()
    if unknown:
        raise ConfigError(
            f"{home.competition}: test_prior: no such classes: {', '.join(sorted(unknown))}"
        )
