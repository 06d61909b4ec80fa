"""A run's submission as bytes, checked before it gets a name."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from foldwise.errors import RunError
from foldwise.rundir import RunDir
from foldwise.stages.submitting.answering import Part, read_parts
from foldwise.stages.submitting.forms import FORMS
from foldwise.stages.submitting.masks import submission_ending
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
    form = FORMS[problem.task.kind]
    with tempfile.TemporaryDirectory(prefix="foldwise-") as folder:
        draft = Path(folder) / f"submission{submission_ending(problem.competition)}"
        notes, problems = form.written(draft, problem, parts, name)
        if problems:
            raise RunError(
                f"{name}: its submission would not be valid:",
                *(text.replace(str(draft), draft.name) for text in problems),
                remedy="look at `submission` and `classes` in competition.yaml",
            )
        return draft.read_bytes(), notes
