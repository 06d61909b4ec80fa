"""Cross-fitting: each fold is blended by what was fitted, and chosen, on the other folds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.blending.methods import Fit
from foldwise.errors import RunError


def cross_fitted(
    members: Members, folds: np.ndarray, fit: Fit, goal: Goal
) -> tuple[np.ndarray, dict[int, Blend]]:
    """Blended scores of all rows, none by a blend that has seen its fold.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int, the fold of each row.
        fit: a function of `BLENDS`, its options bound.
        goal: of the same rows.

    Returns:
        (N, C) float64, and the blend that was applied to each fold.

    Raises:
        RunError: fewer than two folds.
        ValueError: the score is undefined on the rows outside a fold.
    """
    scores = np.empty(members.scores.shape[1:])
    blends = {}
    for fold, inside, outside in _splits(folds):
        blend = fit(members.take(outside), goal.take(outside))
        scores[inside] = blend.apply(members.take(inside))
        blends[fold] = blend
    return scores, blends


def cross_fitted_best(
    members: Members, folds: np.ndarray, goal: Goal
) -> tuple[np.ndarray, dict[int, int]]:
    """Scores of all rows by the single member that is best on the other folds.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int, the fold of each row.
        goal: of the same rows.

    Returns:
        (N, C) float64, and the member chosen for each fold; of equally good ones the first.

    Raises:
        RunError: fewer than two folds.
        ValueError: the score is undefined on the rows outside a fold.
    """
    scores = np.empty(members.scores.shape[1:])
    chosen = {}
    for fold, inside, outside in _splits(folds):
        best = best_member(members.take(outside), goal.take(outside))
        scores[inside] = members.scores[best][inside]
        chosen[fold] = best
    return scores, chosen


def best_member(members: Members, goal: Goal) -> int:
    """The member that scores highest; of equally good ones the first."""
    return int(np.argmax([goal(scores) for scores in members.scores]))


def _splits(folds: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    names = np.unique(folds)
    if len(names) < 2:
        raise RunError(
            f"cross-fitting needs rows of at least 2 folds, found {len(names)}",
            remedy="train another fold, or read the naive gain as what it is",
        )
    for fold in names:
        yield int(fold), np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
