"""Pools of members with known skill, and reports on them as a stage makes them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.blending import Answer, Goal, Members
from foldwise.blending.crossfit import Fitted, fit_all
from foldwise.blending.gain import Ends, GainReport, gain_report
from foldwise.blending.methods import Fit
from foldwise.metrics import METRICS
from foldwise.metrics.bootstrap import paired_intervals

ACCURACY = METRICS["accuracy"]


@dataclass(frozen=True)
class Case:
    """Members of (N, 2) scores that are decided by argmax and scored by accuracy."""

    members: Members
    target: np.ndarray
    num_folds: int = 4
    num: int = 100
    groups: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        return [f"m{number}" for number in range(len(self.members))]

    @property
    def folds(self) -> np.ndarray:
        return np.arange(len(self.target)) % self.num_folds

    @property
    def goal(self) -> Goal:
        def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
            truth = self.target if rows is None else self.target[rows]
            return float((scores.argmax(axis=1) == truth).mean())

        return Goal(self.target, score, metric="accuracy", answer=Answer("argmax"))

    def paired(
        self, scores: np.ndarray, references: Sequence[np.ndarray], rows: np.ndarray | None
    ) -> list[Ends | None]:
        at = slice(None) if rows is None else rows
        found = paired_intervals(
            ACCURACY,
            [reference.argmax(axis=1) for reference in references],
            scores.argmax(axis=1),
            self.target[at],
            higher_is_better=True,
            groups=None if self.groups is None else self.groups[at],
            num=self.num,
        )
        ends = [gain.interval for gain in found]
        return [None if end is None else Ends(end.low, end.high, end.covers) for end in ends]

    def fitted(self, fit: Fit) -> Fitted:
        return fit_all(self.members, self.folds, fit, self.goal)

    def report(self, fit: Fit, *, refitted: Sequence[Ends | None] | None = None) -> GainReport:
        return gain_report(
            self.members,
            self.names,
            self.folds,
            fitted=self.fitted(fit),
            goal=self.goal,
            paired=self.paired,
            refitted=refitted,
        )


def pool(seed: int, skills: Sequence[float], *, rows: int = 160) -> tuple[Members, np.ndarray]:
    """Members whose errors are independent, and the truth; without skill they are coin flips."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, rows)
    margin = np.array(skills)[:, None] * (2 * target - 1) + rng.normal(size=(len(skills), rows))
    second = 1 / (1 + np.exp(-margin))
    return Members(np.stack([1 - second, second], axis=2)), target


@contextlib.contextmanager
def uncounted(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None
