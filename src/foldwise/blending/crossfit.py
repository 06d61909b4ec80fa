"""Cross-fitting: each fold is blended by what was fitted, and chosen, on the other folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.blending.methods import Fit
from foldwise.errors import RunError

#: Called after each fit, for progress.
Done = Callable[[], None]


@dataclass(frozen=True)
class Fitted:
    """A way to blend, fitted to all rows and once without each fold.

    Attributes:
        blend: fitted to all rows.
        scores: (N, C) float64 of that blend: of rows it was fitted to.
        without: fold → the blend that was fitted to the other folds; empty with one fold.
        crossed: (N, C) float64, each row by the blend that has not seen its fold; with one fold
            the same as `scores`.
    """

    blend: Blend
    scores: np.ndarray
    without: dict[int, Blend]
    crossed: np.ndarray

    @property
    def is_alike(self) -> bool:
        """Whether the same blend was fitted without every fold."""
        found = [{**blend.to_json(), "notes": ()} for blend in self.without.values()]
        return all(blend == found[0] for blend in found[1:])


def fit_all(
    members: Members, folds: np.ndarray, fit: Fit, goal: Goal, *, done: Done = lambda: None
) -> Fitted:
    """Fit a blend to all rows and, with two folds or more, without each fold.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int, the fold of each row.
        fit: a function of `BLENDS`, its options bound.
        goal: of the same rows.
        done: called after each fit: once and once a fold.

    Raises:
        ValueError: the score is undefined on all rows, or on those outside a fold.
    """
    blend = fit(members, goal)
    done()
    scores = blend.apply(members)
    if len(np.unique(folds)) < 2:
        return Fitted(blend, scores, {}, scores)
    crossed, without = cross_fitted(members, folds, fit, goal, done=done)
    return Fitted(blend, scores, without, crossed)


def cross_fitted(
    members: Members, folds: np.ndarray, fit: Fit, goal: Goal, *, done: Done = lambda: None
) -> tuple[np.ndarray, dict[int, Blend]]:
    """Blended scores of all rows, none by a blend that has seen its fold.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int, the fold of each row.
        fit: a function of `BLENDS`, its options bound.
        goal: of the same rows.
        done: called after each fold.

    Returns:
        (N, C) float64, and the blend that was applied to each fold.

    Raises:
        RunError: fewer than two folds.
        ValueError: the score is undefined on the rows outside a fold.
    """
    scores = np.empty(members.scores.shape[1:])
    blends = {}
    for fold, inside, outside in splits(folds):
        blend = fit(members.unseen(fold, outside), goal.take(outside))
        scores[inside] = blend.apply(members.take(inside))
        blends[fold] = blend
        done()
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
    for fold, inside, outside in splits(folds):
        part = goal.take(outside)
        # Member by member: a copy of all of them would double the memory in use.
        each = (members.scores_unseen(fold, m, outside) for m in range(len(members)))
        best = int(np.argmax([part(scores) for scores in each]))
        scores[inside] = members.scores[best][inside]
        chosen[fold] = best
    return scores, chosen


def best_member(members: Members, goal: Goal) -> int:
    """The member that scores highest; of equally good ones the first."""
    return int(np.argmax([goal(scores) for scores in members.scores]))


def splits(folds: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each fold with the positions of its rows and of all others.

    Raises:
        RunError: fewer than two folds.
    """
    names = np.unique(folds)
    if len(names) < 2:
        raise RunError(
            f"cross-fitting needs rows of at least 2 folds, found {len(names)}",
            remedy="train another fold, or read the naive gain as what it is",
        )
    for fold in names:
        yield int(fold), np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
