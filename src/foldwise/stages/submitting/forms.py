"""How answers are handed in, by kind of prediction: of which samples, written and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldwise.config.competition import Competition
from foldwise.home import Home
from foldwise.stages.submitting.answering import Part, merged_masks
from foldwise.stages.submitting.cells import cell_check
from foldwise.stages.submitting.file import DIGITS, submission_content
from foldwise.stages.submitting.masks import (
    check_masks_submission,
    masks_asked,
    write_masks_submission,
)
from foldwise.stages.submitting.shape import submission_shape
from foldwise.stages.submitting.table_checks import check_file
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import Task


@dataclass(frozen=True)
class Form:
    """How answers of a kind of prediction are handed in.

    Attributes:
        samples: home, competition, task → ids that are asked for, in any order.
        written: path, problem with test rows, parts, the run's name → notes on how the file came
            about, which stands at the path then, and what is wrong with it. Raises RunError for
            ids without a prediction; ConfigError and DataError as `problems`.
        problems: home, competition, task, path → what is wrong with any file. Raises ConfigError
            and DataError where the sample submission is wrong itself.
    """

    samples: Callable[[Home, Competition, Task], tuple[str, ...]]
    written: Callable[[Path, Problem, Sequence[Part], str], tuple[tuple[str, ...], list[str]]]
    problems: Callable[[Home, Competition, Task, Path], list[str]]


def _table_samples(home: Home, competition: Competition, task: Task) -> tuple[str, ...]:
    return submission_shape(home, competition, task).ids


def _table_written(
    path: Path, problem: Problem, parts: Sequence[Part], name: str
) -> tuple[tuple[str, ...], list[str]]:
    competition = problem.competition
    shape = submission_shape(problem.home, competition, problem.task)
    content = submission_content(problem, shape, parts, name=name)
    write_csv(path, content.frame, digits=DIGITS)
    return content.notes, check_file(path, shape, cell_check(competition, problem.task))


def _table_problems(home: Home, competition: Competition, task: Task, path: Path) -> list[str]:
    shape = submission_shape(home, competition, task)
    return check_file(path, shape, cell_check(competition, task))


def _masks_samples(home: Home, competition: Competition, task: Task) -> tuple[str, ...]:
    return masks_asked(home, competition)


def _masks_written(
    path: Path, problem: Problem, parts: Sequence[Part], name: str
) -> tuple[tuple[str, ...], list[str]]:
    answers = merged_masks(problem, parts, name=name)
    notes = write_masks_submission(path, problem, answers, name=name)
    return notes, check_masks_submission(problem.home, problem.competition, path)


def _masks_problems(home: Home, competition: Competition, task: Task, path: Path) -> list[str]:
    return check_masks_submission(home, competition, path)


#: Kind of prediction → how its answers are handed in.
FORMS = {
    "vector": Form(_table_samples, _table_written, _table_problems),
    "map": Form(_masks_samples, _masks_written, _masks_problems),
}
