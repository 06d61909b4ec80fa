"""Spearman's rank correlation of a few pairs, with an interval that holds for few pairs too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from foldwise.seeding import key, uniforms

_FEWEST_RESAMPLED, _MOST_SIMULATED = 10, 200
_TAIL = 0.025
_NUM_SIMULATED, _MOST_DRAWN = 4000, 80_000
_STEPS = 14
_FARTHEST = 9.0
_NUM_RESAMPLES = 1000
_SAME = 1e-9


@dataclass(frozen=True)
class RankAgreement:
    """Spearman's rank correlation of N pairs.

    Attributes:
        spearman: in [-1, 1]; tied values share their mean rank.
        low: lower end of the 95 % interval.
        high: upper end.
        method: how the interval was got.
        next_width: about how wide the interval would be with one pair more.
    """

    spearman: float
    low: float
    high: float
    method: str
    next_width: float


def rank_agreement(a: np.ndarray, b: np.ndarray) -> RankAgreement | None:
    """The rank correlation of pairs and its 95 % interval.

    Up to 200 pairs the interval holds the population values that would show a rank correlation as
    high, and as low, as this one in at least 2.5 % of simulated samples of N normal pairs. From
    10 pairs on it is widened to hold the percentiles of resampled pairs too, which assume nothing
    of how the pairs hang together but are blind where there are few pairs or a perfect ranking.

    Measured for a population value of 0.98 and 7 normal pairs: the interval holds it in 97 % of
    2,000 samples, Bonett and Wright's (2000) in 68 %, resampling alone in 76 % of 300; for 4
    pairs 99 %, 32 % and 39 %. Heavy tails (t with 3 degrees, 0.9), 15 pairs: 97 % of 200 samples,
    simulation alone 89 % of 600; 24 pairs: 93 % of 150.

    Args:
        a: (N,) finite float.
        b: (N,) finite float.

    Returns:
        None for fewer than 3 pairs, or if all values of one side are the same.

    Source: inversion of a test, Casella and Berger (2002), "Statistical Inference", section 9.2.1.
    """
    num = len(a)
    point = _correlation(rankdata(a), rankdata(b)) if num >= 3 else None
    if point is None:
        return None
    lows, highs, methods = [], [], []
    if num <= _MOST_SIMULATED:
        ends = _inverted(point, num)
        lows.append(ends[0])
        highs.append(ends[1])
        methods.append(f"simulated samples of {num} pairs")
    if num >= _FEWEST_RESAMPLED:
        ends = _resampled(a, b)
        lows.append(ends[0])
        highs.append(ends[1])
        methods.append(f"{num} pairs resampled, {_NUM_RESAMPLES} times")
    low, high = min(lows), max(highs)
    return RankAgreement(
        point, low, high, " and ".join(methods), _next_width(point, num, high - low)
    )


def _next_width(point: float, num: int, width: float) -> float:
    if num + 1 >= _FEWEST_RESAMPLED:
        return width * float(np.sqrt(num / (num + 1)))
    # Few pairs have few rank correlations: the next one at or below this one.
    most = (num + 1) * ((num + 1) ** 2 - 1) / 6
    squares = 2 * np.ceil((1 - point) * most / 2 - _SAME)
    low, high = _inverted(float(1 - squares / most), num + 1)
    return high - low


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's correlation; None if it is undefined."""
    first, second = a - a.mean(), b - b.mean()
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(np.clip(first @ second / size, -1.0, 1.0)) if size > 0 else None


def _inverted(point: float, num: int) -> tuple[float, float]:
    """Ends outside of which a sample value like `point` is rarer than 2.5 %."""
    draws = min(_NUM_SIMULATED, _MOST_DRAWN // num)
    drawn = uniforms(key("rank agreement", num), np.arange(draws), 2 * num)
    first, noise = np.split(ndtri(drawn + 2.0**-54), 2, axis=1)
    first_ranks = _ranks(first)

    def simulated(strength: float) -> np.ndarray:
        rho = np.tanh(strength)
        second_ranks = _ranks(rho * first + np.sqrt(1 - rho * rho) * noise)
        squares = ((first_ranks - second_ranks) ** 2).sum(axis=1)
        return np.asarray(1 - 6 * squares / (num * (num * num - 1)))

    def too_low(strength: float) -> bool:
        return bool((simulated(strength) >= point - _SAME).mean() < _TAIL)

    def too_high(strength: float) -> bool:
        return bool((simulated(-strength) <= point + _SAME).mean() < _TAIL)

    return _population(_last(too_low)), _population(-_last(too_high))


def _last(holds: Callable[[float], bool]) -> float:
    """The greatest strength for which a claim true of the least ones still holds."""
    low, high = -_FARTHEST, _FARTHEST
    if not holds(low):
        return -np.inf
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _population(strength: float) -> float:
    """Spearman's correlation of normal pairs whose Pearson's is tanh(strength)."""
    return float(6 / np.pi * np.arcsin(np.tanh(strength) / 2))


def _ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort(axis=1).argsort(axis=1)


def _resampled(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Percentiles of the bootstrap."""
    num = len(a)
    stream = key("rank agreement", "bootstrap")
    found = []
    for number in range(_NUM_RESAMPLES):
        rows = (uniforms(stream, np.array([number]), num)[0] * num).astype(np.int64)
        value = _correlation(rankdata(a[rows]), rankdata(b[rows]))
        if value is not None:
            found.append(value)
    low, high = np.quantile(found, [_TAIL, 1 - _TAIL])
    return float(low), float(high)
