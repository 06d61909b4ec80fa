"""Smoothing scores over time: the mean or median of a row and its neighbours."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from foldwise.decide.timeline import Timeline

Reach = Annotated[float, Field(ge=0)]

# Numbers that medians are taken of at once.
_AT_ONCE = 1 << 22


def moving_average(scores: np.ndarray, timeline: Timeline, *, reach: Reach) -> np.ndarray:
    """Each row's scores averaged with those of its sequence that are near in time.

    At the ends of a sequence, and beside a gap, the window holds fewer rows.

    Args:
        scores: (N, C) float.
        timeline: where the N rows stand.
        reach: how far to either side, in the unit of the order; both ends count. 0: the row alone.

    Returns:
        (N, C) float64. Probabilities stay probabilities.

    >>> timeline = Timeline(np.zeros(4, int), np.array([0.0, 1.0, 2.0, 9.0]))
    >>> moving_average(np.array([[0.0], [3.0], [0.0], [5.0]]), timeline, reach=1)[:, 0].tolist()
    [1.5, 1.0, 1.5, 5.0]
    """
    if not len(scores):
        return scores
    ranked = scores[timeline.in_time]
    first, end = timeline.windows(reach)
    ends = np.stack([first, end], axis=1).ravel()
    # A row behind the last, so that each window's end is an index; columns lie in one piece.
    columns = np.ascontiguousarray(np.concatenate([ranked, ranked[-1:]]).T)
    mean = np.add.reduceat(columns, ends, axis=1)[:, ::2] / (end - first)
    # A mean lies among what it is of; by rounding it would not always.
    low = np.minimum.reduceat(columns, ends, axis=1)[:, ::2]
    high = np.maximum.reduceat(columns, ends, axis=1)[:, ::2]
    found: np.ndarray = np.empty_like(ranked)
    found[timeline.in_time] = np.clip(mean, low, high).T
    return found


def median(
    scores: np.ndarray, timeline: Timeline, *, reach: Reach, exclusive: bool = False
) -> np.ndarray:
    """Each row's scores replaced by the median of those of its sequence that are near in time.

    A single outlier disappears and a lasting change keeps its edge, which a mean would blur. Of an
    even number of rows, as at the ends of a sequence, it is the mean of the middle two.

    Args:
        scores: (N, C) float.
        timeline: where the N rows stand.
        reach: how far to either side, in the unit of the order; both ends count. 0: the row alone.
        exclusive: the columns are classes of which one holds: rows are divided by their sum, since
            the medians of columns do not sum to 1. Where all medians are 0 the row stays.

    Returns:
        (N, C) float64.

    Source: Tukey (1977), "Exploratory data analysis", chapter 7.

    >>> timeline = Timeline(np.zeros(3, int), np.array([0.0, 1.0, 2.0]))
    >>> median(np.array([[0.0], [9.0], [1.0]]), timeline, reach=1)[:, 0].tolist()
    [4.5, 1.0, 5.0]
    """
    ranked = scores[timeline.in_time]
    first, end = timeline.windows(reach)
    middle = np.empty_like(ranked)
    lengths = end - first
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        for part in np.array_split(rows, max(1, rows.size * length * scores.shape[1] // _AT_ONCE)):
            window = first[part][:, None] + np.arange(length)
            middle[part] = np.median(ranked[window], axis=1)
    if exclusive:
        sums = middle.sum(axis=1, keepdims=True)
        middle = np.divide(middle, sums, out=ranked.copy(), where=sums > 0)
    found: np.ndarray = np.empty_like(ranked)
    found[timeline.in_time] = middle
    return found


SCORE_STEPS = {"moving_average": moving_average, "median": median}
