"""Forward selection with replacement: members are taken one at a time, as they help."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.criteria import criterion_for
from foldwise.blending.search.step import Step, first_best


def selected(scores: np.ndarray, goal: Goal, *, num_steps: int) -> list[int]:
    """The members that are taken, in order, up to the best mean of them; see `taken_in_turn`."""
    picks, num_kept = taken_in_turn(scores, goal, num_steps=num_steps)
    return picks[:num_kept]


def taken_in_turn(scores: np.ndarray, goal: Goal, *, num_steps: int) -> tuple[list[int], int]:
    """All members that are taken, in order, and how many of them make the best mean.

    Of equally good members the first is taken, of equally good means the smallest.

    Args:
        scores: (M, N, C) float64.
        goal: what is maximised, of the same rows.
        num_steps: members taken at most.

    Raises:
        ValueError: the score is undefined on these rows.
    """
    criterion = criterion_for(scores, goal)
    total = np.zeros(scores.shape[1:])
    picks: list[int] = []
    reached = np.empty((2, num_steps))
    for taken in range(num_steps):
        step = Step(total, size=taken + 1)
        low, high = criterion.bounds(step)
        pick = first_best(low, high, _score_by(goal, step, scores))
        picks.append(pick)
        reached[:, taken] = low[pick], high[pick]
        total += scores[pick]
    low, high = reached
    best = first_best(low, high, lambda last: goal(_mean_of(scores, picks[: last + 1])))
    return picks, best + 1


def _score_by(goal: Goal, step: Step, scores: np.ndarray) -> Callable[[int], float]:
    return lambda member: goal(step.blend(scores[member]))


def _mean_of(scores: np.ndarray, picks: list[int]) -> np.ndarray:
    total = np.zeros(scores.shape[1:])
    for pick in picks:
        total += scores[pick]
    mean: np.ndarray = total / len(picks)
    return mean
