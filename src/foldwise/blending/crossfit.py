"""Cross-fitting: each fold is blended by what was fitted, and chosen, on the other folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from foldwise.blending.blend import Blend
from foldwise.blending.members import Members
from foldwise.blending.methods import Fit
from foldwise.errors import RunError

#: `score(scores, rows)`: of (n, C) scores of the rows at positions `rows`, all rows if None;
#: higher is better, whatever the metric.
RowScore = Callable[[np.ndarray, np.ndarray | None], float]


def cross_fitted(
    members: Members, target: np.ndarray, folds: np.ndarray, fit: Fit, score: RowScore
) -> tuple[np.ndarray, dict[int, Blend]]:
    """Blended scores of all rows, none by a blend that has seen its fold.

    Args:
        members: out-of-fold predictions of N rows.
        target: (N,) or (N, C).
        folds: (N,) int, the fold of each row.
        fit: a function of `BLENDS`, its options bound.
        score: of any rows.

    Returns:
        (N, C) float64, and the blend that was applied to each fold.

    Raises:
        RunError: fewer than two folds.
        ValueError: the score is undefined on the rows outside a fold.
    """
    scores = np.empty(members.scores.shape[1:])
    blends = {}
    for fold, inside, outside in _splits(folds):
        blend = fit(members.take(outside), target[outside], partial(_at, score, outside))
        scores[inside] = blend.apply(members.take(inside))
        blends[fold] = blend
    return scores, blends


def cross_fitted_best(
    members: Members, folds: np.ndarray, score: RowScore
) -> tuple[np.ndarray, dict[int, int]]:
    """Scores of all rows by the single member that is best on the other folds.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int, the fold of each row.
        score: of any rows.

    Returns:
        (N, C) float64, and the member chosen for each fold; of equally good ones the first.

    Raises:
        RunError: fewer than two folds.
        ValueError: the score is undefined on the rows outside a fold.
    """
    scores = np.empty(members.scores.shape[1:])
    chosen = {}
    for fold, inside, outside in _splits(folds):
        best = best_member(members.take(outside), partial(_at, score, outside))
        scores[inside] = members.scores[best][inside]
        chosen[fold] = best
    return scores, chosen


def best_member(members: Members, score: Callable[[np.ndarray], float]) -> int:
    """The member that scores highest; of equally good ones the first."""
    return int(np.argmax([score(scores) for scores in members.scores]))


def _splits(folds: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    names = np.unique(folds)
    if len(names) < 2:
        raise RunError(
            f"cross-fitting needs rows of at least 2 folds, found {len(names)}",
            remedy="train another fold, or read the naive gain as what it is",
        )
    for fold in names:
        yield int(fold), np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)


def _at(score: RowScore, rows: np.ndarray, scores: np.ndarray) -> float:
    return score(scores, rows)
