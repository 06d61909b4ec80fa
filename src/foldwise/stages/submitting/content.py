"""A run's submission as bytes, checked before it gets a name."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from foldwise.errors import RunError
from foldwise.rundir import RunDir
from foldwise.stages.submitting.answering import Part, merged_masks, read_parts
from foldwise.stages.submitting.cells import cell_check
from foldwise.stages.submitting.checks import check_file
from foldwise.stages.submitting.file import DIGITS, submission_content
from foldwise.stages.submitting.masks import (
    check_masks_submission,
    submission_ending,
    write_masks_submission,
)
from foldwise.stages.submitting.shape import submission_shape
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem


def submission_bytes(problem: Problem, run: RunDir, name: str) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a run's submission, checked, and the notes on how it came about.

    Args:
        problem: with its test rows.
        run: has scores and test predictions.
        name: for messages.

    Raises:
        RunError: ids without a prediction, or a file that would not be valid.
    """
    return checked_submission(problem, read_parts(problem, run), name=name)


def checked_submission(
    problem: Problem, parts: Sequence[Part], *, name: str
) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the submission, checked, and the notes on how it came about.

    Args:
        problem: with its test rows.
        parts: as of `submission_content`.
        name: the run's, for messages.

    Raises:
        RunError: ids without a prediction, or it would not be valid.
        ConfigError, DataError: as `submission_shape`.
    """
    with tempfile.TemporaryDirectory(prefix="foldwise-") as folder:
        draft = Path(folder) / f"submission{submission_ending(problem.competition)}"
        if problem.task.kind == "map":
            answers = merged_masks(problem, parts, name=name)
            notes = write_masks_submission(draft, problem, answers, name=name)
            problems = check_masks_submission(problem.home, problem.competition, draft)
        else:
            notes, problems = _written(problem, parts, draft, name)
        if problems:
            raise RunError(
                f"{name}: its submission would not be valid:",
                *(text.replace(str(draft), draft.name) for text in problems),
                remedy="look at `submission` and `classes` in competition.yaml",
            )
        return draft.read_bytes(), notes


def _written(
    problem: Problem, parts: Sequence[Part], draft: Path, name: str
) -> tuple[tuple[str, ...], list[str]]:
    """The notes on how the table came about, and what is wrong with it."""
    competition = problem.competition
    shape = submission_shape(problem.home, competition, problem.task)
    content = submission_content(problem, shape, parts, name=name)
    write_csv(draft, content.frame, digits=DIGITS)
    return content.notes, check_file(draft, shape, cell_check(competition, problem.task))
