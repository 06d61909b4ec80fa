"""Which criterion scores the candidates of a search: by metric and answers, or the goal itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.counted import counted
from foldwise.blending.search.distances import distances
from foldwise.blending.search.log_loss import log_loss
from foldwise.blending.search.ranking import ranking
from foldwise.blending.search.step import Criterion, Step


def criterion_for(scores: np.ndarray, goal: Goal) -> Criterion:
    """The fastest criterion that gives the goal's own scores.

    Where the goal does not say what it is made of, or a metric would refuse the scores, that is
    the goal itself, called once a candidate.

    Args:
        scores: (M, N, C) float64.
        goal: of the same rows.
    """
    scores = np.ascontiguousarray(scores, dtype=np.float64)
    make = _BY_METRIC.get(goal.metric)
    if make is None or not scores.size or not _fits(goal):
        return ByGoal(scores, goal)
    return make(scores, goal) or ByGoal(scores, goal)


@dataclass(frozen=True)
class ByGoal:
    """Calls the goal for every candidate: slow, and right for any goal."""

    scores: np.ndarray
    goal: Goal

    def bounds(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Each score twice."""
        values = np.full(len(self.scores), -np.inf)
        for member in range(len(values)) if step.able is None else np.flatnonzero(step.able):
            values[member] = self.goal(step.blend(self.scores[member]))
        return values, values.copy()


def _fits(goal: Goal) -> bool:
    weight = goal.weight
    return weight is None or bool(
        np.isfinite(weight).all() and (weight >= 0).all() and weight.any()
    )


#: `make(scores, goal)`: None where the metric would refuse the scores, or there is no faster way.
_BY_METRIC: dict[str, Callable[[np.ndarray, Goal], Criterion | None]] = {
    "log_loss": log_loss,
    "accuracy": counted,
    "balanced_accuracy": counted,
    "macro_f1": counted,
    "qwk": counted,
    "mae": distances,
    "rmse": distances,
    "roc_auc": ranking,
    "mean_average_precision": ranking,
}
