"""What a blend is to reach: a score of given rows, and what a search may know of its metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

#: `score(scores, rows)`: of (n, C) scores of the rows at positions `rows`, all rows if None;
#: higher is better, whatever the metric.
RowScore = Callable[[np.ndarray, np.ndarray | None], float]


@dataclass(frozen=True)
class Answer:
    """How blended scores become answers.

    Attributes:
        kind: `argmax` of the columns; `cuts` or `thresholds` at `values`, where a score exactly
            on one is above it; `value` the score itself.
        values: K - 1 cuts, one threshold, or one for each column.
    """

    kind: Literal["argmax", "cuts", "thresholds", "value"]
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Goal:
    """The score that a blend of N rows is fitted to reach; higher is better.

    `Goal(target, score)` is enough for any metric. With the other attributes a search can keep
    running sums instead of scoring every candidate from nothing; they describe what `score`
    does, and never change it.

    Attributes:
        target: (N,) or (N, C).
        score: of any rows of the whole table.
        rows: (N,) positions of these rows in the whole table, may repeat; None: all of it.
        metric: the metric's name where `score` is the metric of that name without options; "":
            nothing is known.
        weight: (N,) how much each row counts; None: all alike.
        answer: how answers come about, where the metric takes answers.
        factors: (C,) what each column is multiplied with first, so that rows are probabilities
            up to their sum (a correction for other class shares); None: 1.
    """

    target: np.ndarray
    score: RowScore
    rows: np.ndarray | None = None
    metric: str = ""
    weight: np.ndarray | None = None
    answer: Answer | None = None
    factors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.target)

    def __call__(self, scores: np.ndarray) -> float:
        """The score of (N, C) blended scores of these rows.

        Raises:
            ValueError: it is undefined on them.
        """
        return self.score(scores, self.rows)

    def take(self, rows: np.ndarray) -> Goal:
        """The rows given by position, which may repeat, or mask."""
        every = np.arange(len(self)) if self.rows is None else self.rows
        return replace(
            self,
            target=self.target[rows],
            rows=every[rows],
            weight=None if self.weight is None else self.weight[rows],
        )
