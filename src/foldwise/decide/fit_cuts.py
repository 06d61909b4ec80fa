"""Cuts fitted to a metric: the best of all rising cuts, not the best near a start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from foldwise.decide.cuts import half_cuts
from foldwise.decide.fit_rows import fit_rows
from foldwise.decide.gaps import Gaps
from foldwise.decide.ratio import least_ratio
from foldwise.errors import NoExactFitError

#: Metrics of grades that are a sum over rows, or a ratio of two.
CUT_METRICS = ("qwk", "accuracy", "balanced_accuracy", "mae", "rmse")

# The pull towards the fixed cuts, in relation to the sum of all rows' losses: it decides between
# cuts that are equally good and is too weak for more.
_PULL = 1e-12


def fit_cuts(
    scores: np.ndarray,
    target: np.ndarray,
    *,
    metric: str,
    num_grades: int,
    weight: np.ndarray | None = None,
    fixed: Sequence[float] | None = None,
) -> list[float]:
    """The cuts that give the best score there is on these rows.

    A metric is a table of losses by true and decided grade; what a cut changes is then a sum over
    the rows below it, and one pass over the sorted scores for each cut finds the best rising
    cuts. Quadratic weighted kappa is 1 - A/B with A and B such sums: `least_ratio`.

    Cuts lie midway between neighbouring scores; a score on a cut goes up. Of equally good cuts
    those nearest to the fixed ones are taken: with constant scores, or where kappa finds a single
    grade in the target, nothing else is left to choose by. A grade that no row should get has
    two cuts in one gap, or one beyond all scores.

    Args:
        scores: (N,) float.
        target: (N,) int in [0, num_grades).
        metric: one of `CUT_METRICS`, of the metrics' names.
        num_grades: K, at least 2.
        weight: (N,) float, or None for ones; rows of weight 0 are absent.
        fixed: K - 1 rising cuts to stay near; None: j - 1/2.

    Returns:
        K - 1 rising cuts.

    Raises:
        NoExactFitError: no exact fit is known for the metric.
        ValueError: no rows, shapes that do not fit, grades out of range, scores not finite, or
            another number of fixed cuts.

    >>> fit_cuts(np.array([0.1, 0.2, 0.9, 1.0]), np.array([0, 0, 1, 2]), metric="qwk", num_grades=3)
    [0.55, 0.95]
    """
    if metric not in CUT_METRICS:
        raise NoExactFitError(
            f"cuts cannot be fitted exactly to {metric}, which is neither a sum over rows nor a "
            f"ratio of two; they can be to {', '.join(CUT_METRICS)}"
        )
    values, grades, weights = fit_rows(scores, target, weight, num_classes=num_grades)
    places = list(half_cuts(num_grades) if fixed is None else fixed)
    if len(places) != num_grades - 1:
        raise ValueError(f"{num_grades} grades need {num_grades - 1} fixed cuts, found {places}")
    gaps = Gaps.of(values, num_cuts=num_grades - 1)
    pull = np.stack([gaps.away(place) for place in places])
    support = np.bincount(grades, weights, minlength=num_grades)
    if metric == "qwk" and np.count_nonzero(support) == 1:
        return gaps.place(_rising(pull), places)
    losses = _losses(metric, support)
    # A cut costs what the rows below it lose by the lower of its two grades.
    change = losses[:, :-1] - losses[:, 1:]
    costs = np.stack([gaps.sums_below(weights * cut[grades]) for cut in change.T])
    total = float(losses.max(axis=1) @ support)
    pull *= _PULL * total / max(float(pull.max()), 1.0)
    if metric == "qwk":
        last = float(losses[:, -1] @ support)
        gaps_of_cuts = _best_kappa(costs, pull, last, gaps.sums_below(weights), support)
    else:
        gaps_of_cuts = _rising(costs + pull)
    return gaps.place(gaps_of_cuts, places)


def _losses(metric: str, support: np.ndarray) -> np.ndarray:
    """(K, K) loss of a row by true and decided grade."""
    grades = np.arange(len(support))
    distance: np.ndarray = np.abs(grades[:, None] - grades).astype(np.float64)
    if metric == "mae":
        return distance
    if metric in ("qwk", "rmse"):
        return distance**2
    wrong: np.ndarray = np.minimum(distance, 1.0)
    if metric == "balanced_accuracy":
        wrong /= np.where(support > 0, support, 1.0)[:, None]
    return wrong


def _rising(costs: Iterable[np.ndarray]) -> list[int]:
    """The gaps of least total cost, one for each cut's (G,) costs, none below the one before."""
    reached: list[np.ndarray] = []
    for row in costs:
        reached.append(row + np.minimum.accumulate(reached[-1]) if reached else row)
    gaps: list[int] = []
    for row in reversed(reached):
        reachable = row[: gaps[-1] + 1] if gaps else row
        gaps.append(int(reachable.argmin()))
    return gaps[::-1]


def _best_kappa(
    costs: np.ndarray, pull: np.ndarray, last: float, rows_below: np.ndarray, support: np.ndarray
) -> list[int]:
    """The gaps of greatest kappa.

    Args:
        costs: (K - 1, G) of squared distances.
        pull: (K - 1, G) towards the fixed cuts.
        last: squared distances of all rows, were they all of the highest grade.
        rows_below: (G,) weight of the rows below each gap.
        support: (K,) weight of the rows of each true grade, two of them above 0.
    """
    grades = np.arange(len(support))
    by_chance = support @ np.square(grades[:, None] - grades) / support.sum()
    change = by_chance[:-1] - by_chance[1:]
    cuts = np.arange(len(costs))
    pulled = costs + pull

    def ratio_of(gaps: list[int]) -> float:
        whole = by_chance[-1] * rows_below[-1] + change @ rows_below[gaps]
        return float((last + costs[cuts, gaps].sum()) / whole)

    def solve(ratio: float) -> list[int]:
        pairs = zip(pulled, change, strict=True)
        return _rising(row - ratio * chance * rows_below for row, chance in pairs)

    return least_ratio(solve, ratio_of, start=ratio_of(_rising(pull)))
