"""Whether a leaderboard follows cross-validation: in its ranking, and in its level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from foldwise.choosing.outliers import line_outliers
from foldwise.choosing.rank_agreement import RankAgreement, rank_agreement
from foldwise.choosing.trust_words import (
    gap_sentence,
    next_sentences,
    outlier_sentences,
    ranks_sentence,
    slope_sentences,
)

#: Fewer submissions with both scores say nothing.
FEWEST = 3
#: A rank correlation from here on can be trusted: two of three pairs are in the same order.
GOOD_RANKING = 0.5
#: Gaps up to this share of the leaderboard scores' standard deviation do not matter.
GOOD_LEVEL = 0.5

Answer = Literal["can", "cannot", "open"]

_VERDICTS: dict[tuple[Answer, Answer], str] = {
    ("can", "can"): "ranking and level can be trusted",
    ("can", "cannot"): "ranking can be trusted, level cannot",
    ("can", "open"): "ranking can be trusted, level not settled",
    ("cannot", "can"): "level can be trusted, ranking cannot",
    ("cannot", "cannot"): "neither ranking nor level can be trusted",
    ("cannot", "open"): "ranking cannot be trusted, level not settled",
    ("open", "can"): "level can be trusted, ranking not settled",
    ("open", "cannot"): "level cannot be trusted, ranking not settled",
    ("open", "open"): "too few submissions to tell",
}


@dataclass(frozen=True)
class Trust:
    """What N submissions say about cv as a guide to the leaderboard; None is undefined.

    Attributes:
        num: submissions with both scores.
        ranks: Spearman's correlation with its interval.
        pearson: Pearson's correlation.
        same_order: pairs of submissions in the same order on both; ties are left out.
        num_pairs: pairs without a tie.
        gap: mean of how much more cv promised than the leaderboard showed.
        gap_low: lower end of its 95 % interval (Student's t).
        gap_high: upper end.
        slope: leaderboard gained for a gain of 1 in cv, least squares of leaderboard on cv.
        intercept: of that line.
        residuals: (N,) leaderboard minus the line.
        outliers: names of the submissions far from the line of the others, worst first.
        ranking: whether the ranking can be trusted.
        level: whether the level can.
        verdict: both in words.
        sentences: what was found, for people.
    """

    num: int
    ranks: RankAgreement | None
    pearson: float | None
    same_order: int
    num_pairs: int
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    slope: float | None
    intercept: float | None
    residuals: tuple[float, ...]
    outliers: tuple[str, ...]
    ranking: Answer
    level: Answer
    verdict: str
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The attributes as plain values."""
        return asdict(self)


def trust(
    cv: Sequence[float] | np.ndarray,
    lb: Sequence[float] | np.ndarray,
    *,
    higher_is_better: bool,
    names: Sequence[str] | None = None,
) -> Trust:
    """Whether cv's ranking and level can be trusted, from submissions with both scores.

    The ranking can be trusted if the interval of Spearman's correlation lies above 0.5, and
    cannot if it lies below. The level can be trusted if the interval of the mean gap lies within
    half a standard deviation of the leaderboard scores, and cannot if the gap is greater than
    that and its interval does not hold 0. Else it is not settled.

    Args:
        cv: (N,) finite cross-validated scores.
        lb: (N,) finite leaderboard scores of the same submissions.
        higher_is_better: False turns the gap, so that a positive one still disappoints.
        names: (N,) what to call the submissions; None: their places from 1.

    Raises:
        ValueError: lengths differ, or a value is not finite.

    >>> cv = [0.71, 0.74, 0.78, 0.80, 0.83, 0.85, 0.88]
    >>> lb = [0.61, 0.65, 0.70, 0.71, 0.75, 0.77, 0.80]
    >>> trust(cv, lb, higher_is_better=True).verdict
    'ranking can be trusted, level cannot'
    """
    x, y = np.asarray(cv, dtype=np.float64), np.asarray(lb, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or (names is not None and len(names) != len(x)):
        raise ValueError(f"cv has shape {x.shape}, leaderboard {y.shape}: wanted one of each")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("cv and leaderboard scores must be finite numbers")
    num = len(x)
    if num < FEWEST:
        return _too_few(num)
    called = [str(place) for place in range(1, num + 1)] if names is None else list(names)
    ranks = rank_agreement(x, y)
    same_order, num_pairs = _pairs(x, y)
    gap, low, high = _mean_interval(x - y if higher_is_better else y - x)
    slope, intercept, residuals = _line(x, y)
    outliers = tuple(called[place] for place in line_outliers(x, y))
    ranking = _ranking(ranks)
    level = _level(gap, low, high, margin=GOOD_LEVEL * float(y.std(ddof=1)))
    sentences = [
        ranks_sentence(x, ranks, same_order, num_pairs),
        gap_sentence(gap, low, high),
        *slope_sentences(slope),
        *outlier_sentences(outliers),
        *next_sentences(ranks),
    ]
    return Trust(
        num=num,
        ranks=ranks,
        pearson=None if ranks is None else float(np.corrcoef(x, y)[0, 1]),
        same_order=same_order,
        num_pairs=num_pairs,
        gap=gap,
        gap_low=low,
        gap_high=high,
        slope=slope,
        intercept=intercept,
        residuals=residuals,
        outliers=outliers,
        ranking=ranking,
        level=level,
        verdict=_VERDICTS[ranking, level],
        sentences=tuple(sentences),
    )


def _too_few(num: int) -> Trust:
    has = "1 submission has" if num == 1 else f"{num} submissions have"
    return Trust(
        num=num,
        ranks=None,
        pearson=None,
        same_order=0,
        num_pairs=0,
        gap=None,
        gap_low=None,
        gap_high=None,
        slope=None,
        intercept=None,
        residuals=(),
        outliers=(),
        ranking="open",
        level="open",
        verdict=_VERDICTS["open", "open"],
        sentences=(f"{has} both scores; {FEWEST} are the fewest that say anything",),
    )


def _pairs(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """Pairs in the same order on both sides, and pairs without a tie."""
    same = untied = 0
    for place in range(len(x) - 1):  # Row by row: no (N, N) array.
        products = np.sign(x[place + 1 :] - x[place]) * np.sign(y[place + 1 :] - y[place])
        same += int((products > 0).sum())
        untied += int((products != 0).sum())
    return same, untied


def _mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    half = float(student.ppf(0.975, len(values) - 1)) * error
    return mean, mean - half, mean + half


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float | None, float | None, tuple[float, ...]]:
    """Slope, intercept and residuals of least squares; None and () if x is constant."""
    if np.ptp(x) == 0:
        return None, None, ()
    across = x - x.mean()
    slope = float(across @ y / (across @ across))
    intercept = float(y.mean() - slope * x.mean())
    return slope, intercept, tuple((y - intercept - slope * x).tolist())


def _ranking(ranks: RankAgreement | None) -> Answer:
    if ranks is None:
        return "open"
    if ranks.low >= GOOD_RANKING:
        return "can"
    return "cannot" if ranks.high < GOOD_RANKING else "open"


def _level(gap: float, low: float, high: float, *, margin: float) -> Answer:
    if -margin <= low and high <= margin:
        return "can"
    return "cannot" if abs(gap) > margin and low * high > 0 else "open"
