"""Small members of each kind of columns, and goals that know nothing of their metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from foldwise.blending import Goal, Members, votes

KINDS = ("classes", "labels", "grades", "numbers")


@dataclass(frozen=True)
class Case:
    """Members of which the first is the best, and what they are blended for."""

    members: Members
    goal: Goal


def case(
    kind: str, seed: int, *, num: int = 4, rows: int = 60, weight: np.ndarray | None = None
) -> Case:
    """Three columns of classes or labels; one of grades 0 to 3, or of numbers."""
    rng = np.random.default_rng(seed)
    noise = np.linspace(0.7, 1.3, num)[:, None, None]
    if kind == "classes":
        target = np.arange(rows) % 3
        logits = 3 * np.eye(3)[target] + 2 * noise * rng.normal(size=(num, rows, 3))
        scores = softmax(logits, axis=2)
        answers = np.stack([votes(s.argmax(axis=1), 3) for s in scores])
    elif kind == "labels":
        target = (rng.random((rows, 3)) < 0.4).astype(np.int64)
        scores = expit(4 * target - 2 + 3 * noise * rng.normal(size=(num, rows, 3)))
        answers = (scores >= 0.5).astype(np.float64)
    else:
        target = np.arange(rows) % 4 if kind == "grades" else rng.normal(size=rows)
        scores = target[:, None] + noise * rng.normal(size=(num, rows, 1))
        scores = np.clip(scores, 0, 3) if kind == "grades" else scores
        answers = np.round(scores) if kind == "grades" else scores.copy()
    return Case(Members(scores, answers), near(target, weight))


def near(target: np.ndarray, weight: np.ndarray | None = None) -> Goal:
    """Scores by the mean squared distance to the target."""

    def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
        truth = votes(target, scores.shape[1])
        at = np.arange(len(target)) if rows is None else rows
        weights = None if weight is None else weight[at]
        return -float(np.average(((scores - truth[at]) ** 2).mean(axis=1), weights=weights))

    return Goal(target, score, weight=weight)
