"""Climbing: weight moves to or from one member at a time, in steps that become smaller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.blending.finish import Finish
from foldwise.blending.goal import Goal
from foldwise.blending.search.criteria import criterion_for
from foldwise.blending.search.step import UNFINISHED, Criterion, Step, first_best


@dataclass(frozen=True)
class Pace:
    """How far and how often it goes.

    Attributes:
        first: the share of the blend that is moved at first.
        last: the least share.
        moves: moves and halvings of the share at most.
    """

    first: float
    last: float
    moves: int


@dataclass(frozen=True)
class _Place:
    """Where it stands.

    Attributes:
        weights: (M,).
        total: (N, C) weighted sum of the members.
        finish: what makes scores of it.
        low: bound of the score.
        high: bound of the score.
    """

    weights: np.ndarray
    total: np.ndarray
    finish: Finish
    low: float
    high: float


def climbed(scores: np.ndarray, goal: Goal, *, pace: Pace, bounds: Finish | None) -> np.ndarray:
    """(M,) weights that sum to 1, from those of the best member on.

    Args:
        scores: (M, N, C) float64.
        goal: what is maximised, of the same rows.
        pace: how far and how often it goes.
        bounds: what is done to blends with weights below 0; None: there are none.

    Raises:
        ValueError: the score is undefined on these rows.
    """
    criterion = criterion_for(scores, goal)
    place = _start(scores, goal, criterion)
    share = pace.first
    for _ in range(pace.moves):
        if share < pace.last:
            break
        moved = _moved(scores, goal, criterion, place, share, bounds)
        place, share = (moved, share) if moved else (place, share / 2)
    return place.weights


def _start(scores: np.ndarray, goal: Goal, criterion: Criterion) -> _Place:
    step = Step(np.zeros(scores.shape[1:]))
    low, high = criterion.bounds(step)
    best = first_best(low, high, lambda m: goal(step.blend(scores[m])))
    weights = np.eye(len(scores))[best]
    return _Place(weights, scores[best].copy(), UNFINISHED, low[best], high[best])


def _moved(
    scores: np.ndarray,
    goal: Goal,
    criterion: Criterion,
    place: _Place,
    share: float,
    bounds: Finish | None,
) -> _Place | None:
    """The best place that one move reaches; None if it is no better than this one."""
    steps = [_step(place, factor, bounds) for factor in (share, -share)]
    ends = [_bounds(criterion, step) for step in steps]
    low, high = np.hstack([[[place.low], [place.high]], *ends])

    def exact(at: int) -> float:
        if at == 0:
            return goal(place.finish.of(place.total))
        sign, member = divmod(at - 1, len(scores))
        return goal(steps[sign].blend(scores[member]))

    best = first_best(low, high, exact)
    if best == 0:
        return None
    sign, member = divmod(best - 1, len(scores))
    step = steps[sign]
    weights = (1 - step.factor) * place.weights
    weights[member] += step.factor
    total = step.base + step.factor * scores[member]
    return _Place(weights, total, step.finish, float(low[best]), float(high[best]))


def _bounds(criterion: Criterion, step: Step) -> np.ndarray:
    if step.able is not None and not step.able.any():
        return np.full((2, len(step.able)), -np.inf)
    low, high = criterion.bounds(step)
    if step.able is not None:
        low[~step.able] = high[~step.able] = -np.inf
    return np.stack([low, high])


def _step(place: _Place, factor: float, bounds: Finish | None) -> Step:
    """Moves of a share: every member's weight shrinks in proportion, and one gains `factor`."""
    base = (1 - factor) * place.total
    if bounds is None:
        able = (1 - factor) * place.weights + factor >= 0
        return Step(base, factor=factor, able=able)
    may_be_below_0 = factor < 0 or place.weights.min() < 0
    return Step(base, factor=factor, finish=bounds if may_be_below_0 else UNFINISHED)
