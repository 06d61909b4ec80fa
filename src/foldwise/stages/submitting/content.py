"""A run's submission as bytes, checked before it gets a name."""

from __future__ import annotations

import tempfile
from pathlib import Path

from foldwise.errors import RunError
from foldwise.rundir import RunDir
from foldwise.stages.submitting.answering import read_parts
from foldwise.stages.submitting.cells import cell_check
from foldwise.stages.submitting.checks import check_file
from foldwise.stages.submitting.file import DIGITS, submission_content
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
    home, competition = problem.home, problem.competition
    shape = submission_shape(home, competition, problem.task)
    content = submission_content(problem, shape, read_parts(problem, run), name=name)
    with tempfile.TemporaryDirectory(prefix="foldwise-") as folder:
        draft = Path(folder) / "submission.csv"
        write_csv(draft, content.frame, digits=DIGITS)
        problems = check_file(draft, shape, cell_check(competition, problem.task))
        if problems:
            raise RunError(
                f"{name}: its submission would not be valid:",
                *(text.replace(str(draft), "submission.csv") for text in problems),
                remedy="look at `submission` and `classes` in competition.yaml",
            )
        return draft.read_bytes(), content.notes
