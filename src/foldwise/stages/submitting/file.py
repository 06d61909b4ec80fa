"""The content of a submission: a run's test scores or answers in the asked shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldwise import samples as samples_file
from foldwise.errors import RunError
from foldwise.predictions import Predictions
from foldwise.stages.submitting.answering import Part, merged_answers
from foldwise.stages.submitting.shape import Shape
from foldwise.tasks.problem import Problem

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

    Damaged test images get the mean of all test scores. Scores are those after the decision's
    score steps; where the sample's rows sum to 1, each row is divided by its sum.

    Args:
        problem: with its test rows.
        shape: what is asked.
        parts: the run's test predictions, each with its decision; one where scores are asked for.
        name: the run's, for messages.

    Raises:
        RunError: ids of the sample submission have no prediction; the first five are named.
    """
    notes: list[str] = []
    scores = [_scores_of(problem, shape, part.test, notes, name) for part in parts]
    if problem.competition.submission.gives == "scores":
        columns = _score_cells(problem, shape, parts[0].decision.scores(scores[0]), notes)
    else:
        answers = merged_answers(problem, scores, [part.decision for part in parts])
        columns = _answer_cells(problem, shape, answers)
    columns[shape.id_column] = np.array(shape.ids, dtype=object)
    frame = pd.DataFrame({column: columns[column] for column in shape.header})
    return Content(frame, tuple(dict.fromkeys(notes)))


def _scores_of(
    problem: Problem, shape: Shape, test: Predictions, notes: list[str], name: str
) -> np.ndarray:
    """(N, C) scores in the order of the shape's ids."""
    position = pd.Index(test.ids).get_indexer(pd.Index(shape.ids))
    missing = np.flatnonzero(position < 0)
    damaged = _damaged_ids(problem) if len(missing) else set()
    lost = [shape.ids[row] for row in missing if shape.ids[row] not in damaged]
    if lost:
        where = shape.sample or "the test table"
        raise RunError(
            f"{name}: {len(lost)} of {len(shape.ids)} ids of {where} have no prediction: "
            + ", ".join(lost[:5])
            + (" ..." if len(lost) > 5 else ""),
            remedy="every id of the sample submission must be in the test table; then run "
            "`foldwise predict`",
        )
    if len(missing) and not len(test):
        raise RunError(f"{name}: all test images are damaged", remedy="replace them")
    scores: np.ndarray = test.scores[position]
    if len(missing):
        scores = scores.copy()
        scores[missing] = test.scores.mean(axis=0)
        shown = ", ".join(shape.ids[row] for row in missing[:5])
        notes.append(
            f"{len(missing)} damaged test images get the mean of all test scores: {shown}"
            + (" ..." if len(missing) > 5 else "")
        )
    return scores


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
