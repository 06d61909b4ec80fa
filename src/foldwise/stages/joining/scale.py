"""The common scale, on which scores from outside must lie: found out, and rounding cut off."""

from __future__ import annotations

import numpy as np

from foldwise.predictions import Predictions
from foldwise.tasks.problem import Problem

#: The remedy for scores that lie beyond it.
ONTO_SCALE = "put the scores on that scale (a softmax or sigmoid makes logits probabilities)"
#: What printing with few digits may put beyond the ends of a scale.
_ROUNDING = 1e-6


def off_scale(problem: Problem, found: Predictions, *, name: str) -> list[str]:
    """What lies beyond the common scale: the range, and the first row; nothing where all is well.

    Scores that are no numbers are refused by `held_out`.

    Args:
        problem: what they answer.
        found: scores as they came.
        name: of their file or table, for the message.
    """
    if not problem.task.has_classes:
        return []
    top = _top(problem)
    beyond = (found.scores < -_ROUNDING) | (found.scores > top + _ROUNDING)
    rows = np.flatnonzero(beyond.any(axis=1))
    if not len(rows):
        return []
    low, high = float(np.nanmin(found.scores)), float(np.nanmax(found.scores))
    what = "grades counted from 0" if len(problem.columns) == 1 else "probabilities"
    return [
        f"{name}: found scores in [{low:g}, {high:g}], wanted {what} in [0, {top}]: "
        f"{len(rows)} of {len(found)} rows are beyond, such as {found.ids[rows[0]]}"
    ]


def clipped(problem: Problem, found: Predictions, notes: list[str], *, name: str) -> Predictions:
    """The scores with the rounding beyond the ends of the common scale cut off.

    Args:
        problem: what they answer.
        found: scores of which nothing is `off_scale`.
        notes: is told of rows that do not sum to 1 where they should.
        name: of their file or table, for the note.
    """
    if not problem.task.has_classes or not len(found):
        return found
    sums = found.scores.sum(axis=1)
    is_shared = problem.task.one_of_classes and len(problem.columns) > 1
    if is_shared and not np.allclose(sums, 1, atol=1e-3):
        notes.append(
            f"{name}: rows sum to {sums.min():.4g} up to {sums.max():.4g}, not to 1; "
            "used as they are"
        )
    return found.with_scores(np.clip(found.scores, 0, _top(problem)))


def _top(problem: Problem) -> int:
    """The upper end of the common scale of classes and grades; its lower end is 0."""
    return problem.num_classes - 1 if len(problem.columns) == 1 else 1
