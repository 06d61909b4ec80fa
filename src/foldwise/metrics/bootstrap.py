"""Intervals by resampling: of a score, and of the gain of one prediction over another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.metrics.metric import Metric, Reweighted, Rows
from foldwise.row_weights import row_weights
from foldwise.seeding import key, uniforms

#: Fewer rows or groups than this say too little about those not seen: no interval.
FEWEST = 20

# Above this many scores read in all, fewer resamples are drawn, though not fewer than the
# second number: 100,000 rows of 5 classes get 200, 20,000 rows get the 1,000 asked for.
_MOST_READ = 100_000_000
_FEWEST_RESAMPLES = 200
_DRAWN_AT_ONCE = 32_768  # Numbers: 256 KiB, for what the cores keep near.

MetricFunction = Metric | Callable[..., float]


@dataclass(frozen=True)
class Interval:
    """A percentile interval and what it is about.

    Attributes:
        low: lower end.
        high: upper end.
        covers: what was resampled and how often; what was not (seeds, folds) it does not cover.
        num_skipped: resamples in which the metric was undefined.
        level: share of resamples inside.
    """

    low: float
    high: float
    covers: str
    num_skipped: int
    level: float


@dataclass(frozen=True)
class PairedGain:
    """How much better one prediction is than another on the same rows; positive is better."""

    point: float
    interval: Interval | None


def interval(
    metric: MetricFunction,
    preds: Rows,
    target: Rows,
    *,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    num: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval | None:
    """The percentile bootstrap interval of a score.

    Groups are drawn whole, with replacement, where they are given; else rows. A row drawn twice
    counts with twice its weight, so nothing is copied. Rows of weight 0 are absent. Long inputs
    get fewer resamples than `num` (from 10^8 scores read on, never fewer than 200).

    Args:
        metric: a `Metric` (fast: it may sort once), or `f(preds, target, weight) -> float`.
        preds: (N,) or (N, C), as the metric takes them, or counts of N images' masks.
        target: (N,) or (N, C); for counts anything of N rows.
        weight: (N,) float, or None for ones.
        groups: (N,) labels of what belongs together.
        num: resamples.
        seed: another seed draws other resamples.
        level: share of resamples inside, in (0, 1).

    Returns:
        None for fewer than 20 groups (rows, without groups), or when the metric is undefined
        in more than half of the resamples.

    Raises:
        ValueError: the metric is undefined on all rows, or shapes do not fit.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", ch. 13; groups:
    Davison and Hinkley (1997), "Bootstrap Methods and their Application", section 3.8.
    """
    score = _reweighted(metric, preds, target)
    score(weight)
    draws = _Draws.of(weight, groups, len(target), num, preds.size, seed)
    return _percentiles(lambda weights: [score(weights)], draws, level, num_scores=1)[0]


def paired_interval(
    metric: MetricFunction,
    preds_a: Rows,
    preds_b: Rows,
    target: Rows,
    *,
    higher_is_better: bool,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    num: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedGain:
    """How much better b is than a, with the interval of the difference.

    Both are scored on the same resamples, so what makes rows hard for both cancels.

    Args:
        metric: as in `interval`.
        preds_a: the reference.
        preds_b: what may be better.
        target: (N,) or (N, C).
        higher_is_better: False turns the sign, so that a positive gain is better.
        weight: as in `interval`, like the rest.
        groups: (N,) labels of what belongs together.
        num: resamples.
        seed: another seed draws other resamples.
        level: share of resamples inside.

    Returns:
        The gain on all rows and its interval, None as in `interval`.

    Raises:
        ValueError: the metric is undefined on all rows, or shapes do not fit.
    """
    return paired_intervals(
        metric,
        [preds_a],
        preds_b,
        target,
        higher_is_better=higher_is_better,
        weight=weight,
        groups=groups,
        num=num,
        seed=seed,
        level=level,
    )[0]


def paired_intervals(
    metric: MetricFunction,
    references: Sequence[Rows],
    preds: Rows,
    target: Rows,
    *,
    higher_is_better: bool,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    num: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[PairedGain]:
    """How much better one prediction is than each of several, all on the same resamples.

    Drawing and preparing once makes this cheaper than `paired_interval` for each.

    Args:
        metric: as in `interval`.
        references: what it is compared with.
        preds: what may be better.
        target: (N,) or (N, C).
        higher_is_better: False turns the sign, so that a positive gain is better.
        weight: as in `interval`, like the rest.
        groups: (N,) labels of what belongs together.
        num: resamples.
        seed: another seed draws other resamples.
        level: share of resamples inside.

    Returns:
        For each reference the gain over it and its interval, None as in `interval`.

    Raises:
        ValueError: the metric is undefined on all rows, or shapes do not fit.
    """
    score = _reweighted(metric, preds, target)
    others = [_reweighted(metric, reference, target) for reference in references]
    sign = 1.0 if higher_is_better else -1.0

    def gains(weights: np.ndarray | None) -> list[float]:
        own = score(weights)
        return [sign * (own - other(weights)) for other in others]

    num_read = preds.size * (1 + len(others))
    draws = _Draws.of(weight, groups, len(target), num, num_read, seed)
    points = gains(weight)
    ends = _percentiles(gains, draws, level, num_scores=len(others))
    return [PairedGain(point, end) for point, end in zip(points, ends, strict=True)]


@dataclass(frozen=True)
class Resampled:
    """Scores of several predictions on the same resamples.

    Attributes:
        scores: (R, M) finite.
        num_units: rows or groups that were drawn.
        covers: what was resampled and how often.
    """

    scores: np.ndarray
    num_units: int
    covers: str


def resampled_scores(
    metric: MetricFunction,
    preds: Sequence[Rows],
    target: Rows,
    *,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    num: int = 1000,
    seed: int = 0,
) -> Resampled | None:
    """How several scores vary together when other rows are drawn.

    Args:
        metric: as in `interval`.
        preds: M predictions of the same rows.
        target: (N,) or (N, C).
        weight: as in `interval`, like the rest.
        groups: (N,) labels of what belongs together.
        num: resamples.
        seed: another seed draws other resamples.

    Returns:
        None as in `interval`.

    Raises:
        ValueError: shapes do not fit.
    """
    reweighted = [_reweighted(metric, each, target) for each in preds]
    num_read = sum(each.size for each in preds)
    draws = _Draws.of(weight, groups, len(target), num, num_read, seed)
    if draws.num_units < FEWEST:
        return None
    drawn = _drawn(lambda weights: [score(weights) for score in reweighted], draws, len(preds))
    scores = drawn[np.isfinite(drawn).all(axis=1)]
    if len(scores) < draws.num / 2:
        return None
    return Resampled(scores, draws.num_units, draws.covers)


@dataclass(frozen=True)
class _Draws:
    """The resamples: `num` times, as many units as there are, with replacement.

    Attributes:
        weights: (N,) the rows' own weights.
        units: (N,) number of the row's unit (its group, or itself); anything where absent.
        num_units: units with a row of weight above 0.
    """

    weights: np.ndarray
    units: np.ndarray
    num_units: int
    num: int
    seed: int
    noun: str

    @classmethod
    def of(
        cls,
        weight: np.ndarray | None,
        groups: np.ndarray | None,
        num_rows: int,
        num: int,
        num_read: int,
        seed: int,
    ) -> _Draws:
        weights = row_weights(weight, num_rows)
        present = weights > 0
        units = np.zeros(num_rows, dtype=np.int64)
        if groups is None:
            num_units = int(present.sum())
            units[present] = np.arange(num_units)
        else:
            if np.shape(groups) != (num_rows,):
                raise ValueError(f"groups have shape {np.shape(groups)} for {num_rows} rows")
            names, units[present] = np.unique(np.asarray(groups)[present], return_inverse=True)
            num_units = len(names)
        bounded = min(num, max(_FEWEST_RESAMPLES, _MOST_READ // max(num_read, 1)))
        noun = "rows" if groups is None else "groups"
        return cls(weights, units, num_units, bounded, seed, noun)

    def __iter__(self) -> Iterator[np.ndarray]:
        stream = key("bootstrap", self.seed)
        at_once = max(_DRAWN_AT_ONCE // self.num_units, 1)
        for first in range(0, self.num, at_once):
            numbers = np.arange(first, min(first + at_once, self.num))
            drawn = (uniforms(stream, numbers, self.num_units) * self.num_units).astype(np.int64)
            drawn += self.num_units * np.arange(len(numbers))[:, None]
            times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
            for of_one in times:
                yield of_one[self.units] * self.weights

    @property
    def covers(self) -> str:
        return f"{self.num_units} {self.noun} resampled, {self.num} times"


def _reweighted(metric: MetricFunction, preds: Rows, target: Rows) -> Reweighted:
    if isinstance(metric, Metric):
        return metric.prepared(preds, target)
    return lambda weight: metric(preds, target, weight)


def _percentiles(
    scores: Callable[[np.ndarray], list[float]], draws: _Draws, level: float, *, num_scores: int
) -> list[Interval | None]:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, found {level}")
    if draws.num_units < FEWEST:
        return [None] * num_scores
    columns = _drawn(scores, draws, num_scores).T
    return [_interval_of(column[np.isfinite(column)], draws, level) for column in columns]


def _drawn(
    scores: Callable[[np.ndarray], list[float]], draws: _Draws, num_scores: int
) -> np.ndarray:
    """(R, num_scores), a row for each resample on which the scores are defined."""
    drawn = []
    for weights in draws:
        try:
            drawn.append(scores(weights))
        except ValueError:  # Undefined here, though defined on all rows: a rare class not drawn.
            continue
    return np.array(drawn).reshape(len(drawn), num_scores)


def _interval_of(values: np.ndarray, draws: _Draws, level: float) -> Interval | None:
    num_skipped = draws.num - len(values)
    if num_skipped > draws.num / 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), draws.covers, num_skipped, level)
