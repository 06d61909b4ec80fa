"""Mean absolute and root mean squared error of all candidates, a block of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.counted import counted
from foldwise.blending.search.reach import finite_reach
from foldwise.blending.search.step import Criterion, Step, around

#: Rows at a time: with 50 members they stay in a core's cache.
_BLOCK = 1024


@dataclass(frozen=True)
class Distances:
    """How far numbers are from the target.

    Attributes:
        values: (M, N).
        target: (N,) float64.
        weight: (N,), adding up to 1.
        is_squared: root mean square, else mean.
    """

    values: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    is_squared: bool

    def bounds(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Minus the errors, a rounding error apart."""
        base = step.base[:, 0]
        total = np.zeros(len(self.values))
        for start in range(0, len(base), _BLOCK):
            part = slice(start, start + _BLOCK)
            errors = step.mix(base[part], self.values[:, part])
            errors -= self.target[part]
            measure = np.square if self.is_squared else np.abs
            total += measure(errors, out=errors) @ self.weight[part]
        return around(-np.sqrt(total) if self.is_squared else -total)


def distances(scores: np.ndarray, goal: Goal) -> Criterion | None:
    """The criterion of errors of numbers, or of grades; None where there is none."""
    answer, (_, num_rows, num_columns) = goal.answer, scores.shape
    if answer is None or answer.kind != "value" or answer.values:
        return counted(scores, goal)
    if num_columns != 1 or goal.target.shape != (num_rows,) or goal.factors is not None:
        return None
    if goal.target.dtype.kind not in "iubf" or not np.isfinite(goal.target).all():
        return None
    if finite_reach(scores) is None:
        return None
    weight = np.ones(num_rows) if goal.weight is None else goal.weight
    target = goal.target.astype(np.float64)
    return Distances(scores[:, :, 0], target, weight / weight.sum(), goal.metric == "rmse")
