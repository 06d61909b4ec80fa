"""Metrics that count answers: counts of all candidates, and what the metric makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.graded import by_limits
from foldwise.blending.search.reach import finite_reach
from foldwise.blending.search.step import Criterion, Step, around
from foldwise.blending.search.surest import by_argmax


class Counter(Protocol):
    """Counts answers beside the truth."""

    def counts(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Weight of the rows by truth and answer, and of which candidates it is in doubt.

        Returns:
            (M, G, G) for G grades or classes, or (M, C, 2, 2) for C columns of 0 and 1; truth
            comes before answer. And (M,) bool.
        """


@dataclass(frozen=True)
class Counted:
    """A metric as a function of counts; the goal itself is asked where counts do not tell."""

    scores: np.ndarray
    goal: Goal
    counter: Counter
    formula: Callable[[np.ndarray], np.ndarray]

    def bounds(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """The scores, a rounding error apart."""
        counts, is_in_doubt = self.counter.counts(step)
        low, high = around(self.formula(counts))
        for member in np.flatnonzero(is_in_doubt | np.isnan(low)):
            low[member] = high[member] = self.goal(step.blend(self.scores[member]))
        return low, high


def counted(scores: np.ndarray, goal: Goal) -> Criterion | None:
    """The criterion of a metric of answers; None where there is none."""
    answer, target = goal.answer, goal.target
    if answer is None or target.dtype.kind not in "iub" or target.min() < 0:
        return None
    reach = finite_reach(scores)
    if reach is None:
        return None
    is_argmax = answer.kind == "argmax"
    counter = by_argmax(scores, goal, reach) if is_argmax else by_limits(scores, goal)
    formulas = _BY_GRADE if target.ndim == 1 else _BY_COLUMN
    if counter is None or goal.metric not in formulas:
        return None
    return Counted(scores, goal, counter, formulas[goal.metric])


def _accuracy(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = _right(counts).sum(axis=1) / counts.sum(axis=(1, 2))
    return shares


def _balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    support = counts.sum(axis=2)
    return _mean_where(support > 0, _right(counts), support)


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    both = counts.sum(axis=2) + counts.sum(axis=1)
    return _mean_where(both > 0, 2 * _right(counts), both)


def _macro_f1_of_columns(counts: np.ndarray) -> np.ndarray:
    both = counts[:, :, 1].sum(axis=2) + counts[:, :, :, 1].sum(axis=2)
    found = 2 * counts[:, :, 1, 1]
    f1: np.ndarray = np.divide(found, both, out=np.zeros_like(both), where=both > 0)
    mean: np.ndarray = f1.mean(axis=1)
    return mean


def _qwk(counts: np.ndarray) -> np.ndarray:
    squares = _apart(counts) ** 2
    truth, answers = counts.sum(axis=2), counts.sum(axis=1)
    by_chance = ((truth @ squares) * answers).sum(axis=1) / counts.sum(axis=(1, 2))
    defined = np.where(by_chance > 0, by_chance, np.nan)
    kappa: np.ndarray = 1 - (counts * squares).sum(axis=(1, 2)) / defined
    return kappa


def _mae(counts: np.ndarray) -> np.ndarray:
    error: np.ndarray = (counts * _apart(counts)).sum(axis=(1, 2)) / counts.sum(axis=(1, 2))
    return -error


def _rmse(counts: np.ndarray) -> np.ndarray:
    square = (counts * _apart(counts) ** 2).sum(axis=(1, 2)) / counts.sum(axis=(1, 2))
    error: np.ndarray = np.sqrt(square)
    return -error


def _mean_where(is_there: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The mean of part / whole over the classes that are there."""
    shares = np.divide(part, whole, out=np.zeros(whole.shape), where=is_there)
    means: np.ndarray = shares.sum(axis=1) / is_there.sum(axis=1)
    return means


def _right(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=1, axis2=2)


def _apart(counts: np.ndarray) -> np.ndarray:
    grades = np.arange(counts.shape[1])
    apart: np.ndarray = np.abs(grades[:, None] - grades)
    return apart


_BY_GRADE = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "qwk": _qwk,
    "mae": _mae,
    "rmse": _rmse,
}
_BY_COLUMN = {"macro_f1": _macro_f1_of_columns}
