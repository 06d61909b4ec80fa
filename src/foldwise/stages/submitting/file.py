"""The content of a submission: a run's test scores or answers in the asked shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldwise import samples as samples_file
from foldwise.errors import RunError
from foldwise.predictions import Predictions, concatenate
from foldwise.stages.submitting.answering import Part, merged_answers
from foldwise.stages.submitting.shape import Shape
from foldwise.tasks.problem import Problem
from foldwise.tasks.timelines import test_timeline

#: Significant digits of scores in a submission.
DIGITS = 6


@dataclass(frozen=True)
class Content:
    """What is written into a submission.

    Attributes:
        frame: header, order and rows of the shape; answers as text, scores as numbers.
        notes: what was done beyond copying, one sentence each.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]


def submission_content(
    problem: Problem, shape: Shape, parts: Sequence[Part], *, name: str
) -> Content:
    """A run's test predictions in the shape of the sample submission.

    All test rows are decided together, whichever of them the sample asks for and in what order.
    Damaged test images get the mean of all test scores, and are no neighbours in time. Scores are
    those after the decision's score steps; where the sample's rows sum to 1, each row is divided
    by its sum.

    Args:
        problem: with its test rows.
        shape: what is asked.
        parts: the run's test predictions, each with its decision; one where scores are asked for.
        name: the run's, for messages.

    Raises:
        RunError: ids of the sample submission have no prediction; the first five are named.
    """
    notes: list[str] = []
    whole = [_with_damaged(problem, shape, part.test, notes, name) for part in parts]
    ids = whole[0].ids
    scores = [test.align(ids, name=name).scores for test in whole]
    places = pd.Index(ids).get_indexer(pd.Index(shape.ids))
    is_over_time = any(part.decision.is_over_time for part in parts)
    timeline = test_timeline(problem, ids) if is_over_time else None
    if problem.competition.submission.gives == "scores":
        found = parts[0].decision.scores(scores[0], timeline)
        columns = _score_cells(problem, shape, found[places], notes)
    else:
        decisions = [part.decision for part in parts]
        answers = merged_answers(problem, scores, decisions, timeline)
        columns = _answer_cells(problem, shape, answers[places])
    columns[shape.id_column] = np.array(shape.ids, dtype=object)
    frame = pd.DataFrame({column: columns[column] for column in shape.header})
    return Content(frame, tuple(dict.fromkeys(notes)))


def _with_damaged(
    problem: Problem, shape: Shape, test: Predictions, notes: list[str], name: str
) -> Predictions:
    """Test predictions, and behind them the shape's ids whose images are damaged."""
    missing = pd.Index(shape.ids).difference(pd.Index(test.ids), sort=False).tolist()
    if not missing:
        return test
    damaged = _damaged_ids(problem)
    lost = [row for row in missing if row not in damaged]
    if lost:
        where = shape.sample or "the test table"
        raise RunError(
            f"{name}: {len(lost)} of {len(shape.ids)} ids of {where} have no prediction: "
            + ", ".join(lost[:5])
            + (" ..." if len(lost) > 5 else ""),
            remedy="every id of the sample submission must be in the test table; then run "
            "`foldwise predict`",
        )
    if not len(test):
        raise RunError(f"{name}: all test images are damaged", remedy="replace them")
    shown = ", ".join(missing[:5])
    notes.append(
        f"{len(missing)} damaged test images get the mean of all test scores: {shown}"
        + (" ..." if len(missing) > 5 else "")
    )
    mean = np.repeat(test.scores.mean(axis=0, keepdims=True), len(missing), axis=0)
    filled = Predictions(np.array(missing, dtype=object), mean, test.columns)
    return concatenate([test, filled])


def _damaged_ids(problem: Problem) -> set[str]:
    frame = samples_file.read(problem.home.samples).frame
    return set(frame["id"][(frame["split"] == "test") & (frame["damaged"] != "")])


def _score_cells(
    problem: Problem, shape: Shape, scores: np.ndarray, notes: list[str]
) -> dict[str, np.ndarray]:
    places = [problem.columns.index(shape.holds[column]) for column in shape.asked]
    chosen = scores[:, places]
    if shape.sums_to_one:
        sums = chosen.sum(axis=1, keepdims=True)
        if not np.allclose(sums, 1, atol=1e-6):
            notes.append(
                f"rows summed to {sums.min():.4g} up to {sums.max():.4g}; each was divided by its "
                "sum, since rows of the sample submission sum to 1"
            )
        chosen = chosen / np.where(sums > 0, sums, 1)
    return {column: chosen[:, place] for place, column in enumerate(shape.asked)}


def _answer_cells(problem: Problem, shape: Shape, answers: np.ndarray) -> dict[str, np.ndarray]:
    columns = problem.competition.columns
    cells: Sequence[Sequence[str]] = problem.task.answers(
        answers, problem.competition.classes, len(columns.target), columns.separator
    )
    by_target = dict(zip(columns.target, cells, strict=True))
    return {
        column: np.array(by_target[shape.holds[column]], dtype=object) for column in shape.asked
    }
