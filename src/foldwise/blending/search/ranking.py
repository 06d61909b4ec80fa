"""ROC AUC and average precision of all candidates: bounds by counting, finer for the best few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.reach import finite_reach
from foldwise.blending.search.step import Step

#: Bins over a candidate's range: for all of them, then for those that may still be best.
_BINS = (2**12, 2**18)
#: With few rows more bins than this would take longer than the score itself.
_BINS_PER_ROW = 4
#: Rounding of the bounds themselves.
_ROUNDING = 1e-12
#: A range of values that can be divided by.
_NARROWEST = 1e-300

#: `between(positive, negative, lightest)`: bounds of a class's score from the weight in each
#: bin, rising, and the least weight of a positive row.
Between = Callable[[np.ndarray, np.ndarray, float], tuple[float, float]]


@dataclass(frozen=True)
class _Class:
    """A column against the rest.

    Attributes:
        column: its scores.
        is_positive: (N,) bool.
        lightest: least weight above 0 of a positive row.
    """

    column: int
    is_positive: np.ndarray
    lightest: float


@dataclass(frozen=True)
class Ranking:
    """The mean over classes of how well each is ranked.

    Attributes:
        scores: (M, N, C).
        classes: those that count.
        weight: (N,), or None for ones.
        between: by metric.
    """

    scores: np.ndarray
    classes: tuple[_Class, ...]
    weight: np.ndarray | None
    between: Between

    def bounds(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Bounds that are close for candidates that may be best."""
        low, high = np.zeros(len(self.scores)), np.full(len(self.scores), np.inf)
        for num_bins in _BINS:
            able = np.flatnonzero(high >= low.max())
            bins = min(num_bins, _BINS_PER_ROW * len(step.base))
            low[able], high[able] = self._counted(step, able, bins)
        return low, high

    def _counted(
        self, step: Step, members: np.ndarray, num_bins: int
    ) -> tuple[np.ndarray, np.ndarray]:
        total = np.zeros((2, len(members)))
        bases = [np.ascontiguousarray(step.base[:, one.column]) for one in self.classes]
        beside = [one.is_positive * num_bins for one in self.classes]
        values = np.empty(len(step.base))
        bins = np.empty(len(step.base), dtype=np.int64)
        for place, member in enumerate(members):
            scores = self.scores[member]
            whole = step.blend(scores) if step.finish.sums_to_1 else None
            for one, base, positives in zip(self.classes, bases, beside, strict=True):
                if whole is None:
                    step.mix(base, scores[:, one.column], out=values)
                else:
                    values[:] = whole[:, one.column]
                _to_bins(values, num_bins, bins)
                bins += positives
                counts = np.bincount(bins, self.weight, minlength=2 * num_bins)
                negative, positive = counts[:num_bins], counts[num_bins:]
                total[:, place] += self.between(positive, negative, one.lightest)
        total /= len(self.classes)
        return total[0] - _ROUNDING, total[1] + _ROUNDING


def ranking(scores: np.ndarray, goal: Goal) -> Ranking | None:
    """The criterion of a metric of order; None where it has none."""
    target, (_, num_rows, num_columns) = goal.target, scores.shape
    num_values = 2 if target.ndim == 2 else max(2, num_columns)
    if goal.factors is not None or target.dtype.kind not in "iub":
        return None
    if target.shape not in ((num_rows,), (num_rows, num_columns)):
        return None
    if target.min() < 0 or target.max() >= num_values or finite_reach(scores) is None:
        return None
    classes = tuple(
        _Class(column, is_positive, _lightest(is_positive, goal.weight))
        for column, is_positive in _against_rest(target, num_columns, goal.metric)
        if _is_scored(is_positive, goal)
    )
    between = _auc_between if goal.metric == "roc_auc" else _precision_between
    return Ranking(scores, classes, goal.weight, between) if classes else None


def _against_rest(
    target: np.ndarray, num_columns: int, metric: str
) -> list[tuple[int, np.ndarray]]:
    if target.ndim == 2:
        return [(column, target[:, column] > 0) for column in range(num_columns)]
    if num_columns == 1:
        return [(0, target == 1)]
    # Of two classes AUC takes the second alone, as the first has the same.
    first = 1 if metric == "roc_auc" and num_columns == 2 else 0
    return [(column, target == column) for column in range(first, num_columns)]


def _is_scored(is_positive: np.ndarray, goal: Goal) -> bool:
    counts = np.ones(len(is_positive), dtype=bool) if goal.weight is None else goal.weight > 0
    has_rest = goal.metric != "roc_auc" or bool((~is_positive & counts).any())
    return has_rest and bool((is_positive & counts).any())


def _lightest(is_positive: np.ndarray, weight: np.ndarray | None) -> float:
    return 1.0 if weight is None else float(weight[is_positive & (weight > 0)].min(initial=np.inf))


def _to_bins(values: np.ndarray, num_bins: int, bins: np.ndarray) -> None:
    """Which bin of equal width each value is in; a higher value never in a lower one.

    Args:
        values: overwritten.
        num_bins: from the lowest to the highest value.
        bins: int64, is told.
    """
    low, high = values.min(), values.max()
    width = high - low
    # One bin less than there are, as rounding may put the highest value one higher.
    scale = (num_bins - 1) / width if width > _NARROWEST else 0.0
    values -= low
    values *= scale
    bins[:] = values  # As astype does: the fraction is cut off.


def _auc_between(
    positive: np.ndarray, negative: np.ndarray, lightest: float
) -> tuple[float, float]:
    """Pairs in one bin may be right, wrong or level; all others are known."""
    below = np.cumsum(negative)
    pairs = positive.sum() * below[-1]
    most = positive @ below
    return (most - positive @ negative) / pairs, most / pairs


def _precision_between(
    positive: np.ndarray, negative: np.ndarray, lightest: float
) -> tuple[float, float]:
    """In a bin the precision is least for one positive below all negatives, most for none."""
    own, others = positive[::-1], negative[::-1]
    found, called = np.cumsum(own), np.cumsum(own + others)
    before, above = found - own, called - own - others
    is_there = own > 0
    own, found, before, above = own[is_there], found[is_there], before[is_there], above[is_there]
    least = (before + lightest) / (above + others[is_there] + lightest)
    most = found / (above + own)
    return float(own @ least / found[-1]), float(own @ most / found[-1])
