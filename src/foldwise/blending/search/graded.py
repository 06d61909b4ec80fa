"""Answers by cuts or thresholds: rows that no candidate can move to another grade are settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.step import Step


@dataclass(frozen=True)
class Limits:
    """E numbers a member, each between limits of its own.

    Attributes:
        values: (M, E) the members' scores.
        least: (E,) over members.
        most: (E,) over members.
        limits: (L, E) rising; the grade is how many are at or below the blend.
        cells: (E,) where the count of grade 0 stands.
        shape: of one candidate's counts.
        weight: (E,), or None for ones.
    """

    values: np.ndarray
    least: np.ndarray
    most: np.ndarray
    limits: np.ndarray
    cells: np.ndarray
    shape: tuple[int, ...]
    weight: np.ndarray | None

    def counts(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Counts of all candidates; never in doubt."""
        base = step.base.reshape(-1)
        # Mixing keeps order but for rounding, which keeps it as well.
        ends = self._grades(step.mix(base, self.least)), self._grades(step.mix(base, self.most))
        first, last = np.minimum(*ends), np.maximum(*ends)
        del ends
        is_open = last > first
        num_cells = int(np.prod(self.shape))
        is_settled = ~is_open
        settled = self._count(is_settled, self.cells[is_settled] + first[is_settled], num_cells)

        rows = np.flatnonzero(is_open)
        rows = rows[np.argsort(first[rows] - last[rows], kind="stable")]
        first, spread = first[rows], (last - first)[rows]
        in_question = [
            self.limits[first[:num] + j, rows[:num]]
            for j in range(int(spread.max(initial=0)))
            for num in [np.count_nonzero(spread > j)]
        ]
        open_base, lowest = base[rows], self.cells[rows] + first
        counts = np.empty((len(self.values), num_cells))
        for member, values in enumerate(self.values):
            blend = step.mix(open_base, values.take(rows))
            cells = lowest.copy()
            for limit in in_question:
                cells[: len(limit)] += blend[: len(limit)] >= limit
            counts[member] = settled + self._count(rows, cells, num_cells)
        return counts.reshape(-1, *self.shape), np.zeros(len(counts), dtype=bool)

    def _grades(self, blend: np.ndarray) -> np.ndarray:
        grades = np.zeros(len(blend), dtype=np.int16)
        for limit in self.limits:
            grades += blend >= limit
        return grades

    def _count(self, chosen: np.ndarray, cells: np.ndarray, num_cells: int) -> np.ndarray:
        weight = None if self.weight is None else self.weight[chosen]
        return np.bincount(cells, weight, minlength=num_cells)


def by_limits(scores: np.ndarray, goal: Goal) -> Limits | None:
    """The counter of answers by cuts or thresholds; None where it has none."""
    answer, target, (num_members, num_rows, num_columns) = goal.answer, goal.target, scores.shape
    if answer is None or goal.factors is not None:
        return None
    limits = np.array(answer.values, dtype=np.float64)
    values = scores.reshape(num_members, -1)
    least, most = values.min(axis=0), values.max(axis=0)
    if answer.kind == "cuts" and num_columns == 1 and target.shape == (num_rows,):
        if not (np.diff(limits) > 0).all():
            return None
        grades = max(len(limits), int(target.max())) + 1
        each = np.broadcast_to(limits[:, None], (len(limits), num_rows))
        cells, shape = target.astype(np.int64) * grades, (grades, grades)
        return Limits(values, least, most, each, cells, shape, goal.weight)
    is_fit = answer.kind == "thresholds" and target.shape == (num_rows, num_columns)
    if not is_fit or target.max() > 1 or len(limits) not in (1, num_columns):
        return None
    each = np.broadcast_to(limits, (num_rows, num_columns)).reshape(1, -1)
    cells = ((np.arange(num_columns) * 2 + target) * 2).reshape(-1)
    weight = None if goal.weight is None else np.repeat(goal.weight, num_columns)
    return Limits(values, least, most, each, cells, (num_columns, 2, 2), weight)
