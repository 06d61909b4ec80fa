"""Peak picking: of the rows near each other in time, only the one with the highest score."""

from __future__ import annotations

import numpy as np

from foldwise.decide.classes import second_share
from foldwise.decide.smoothing import Reach
from foldwise.decide.timeline import Timeline, within


def peaks(
    scores: np.ndarray, timeline: Timeline, *, reach: Reach, exclusive: bool = False
) -> np.ndarray:
    """Scores at peaks in time, and 0 elsewhere: an event is found once, not in every frame.

    A peak is a row that scores above its neighbours in time; of rows side by side with an equal
    score the middle one, of two the earlier. Then non-maximum suppression: from the highest peak
    down, of equal ones the earlier first, each removes the lower ones within its reach. Each label
    is looked at by itself.

    Args:
        scores: (N, C) float of 0 or more.
        timeline: where the N rows stand; a row that is alone is a peak.
        reach: how near two peaks may not be, in the unit of the order; that far counts as near.
        exclusive: there are two columns, of two classes that exclude each other: peaks are those
            of the second's share, and all of another row's score goes to the first.

    Returns:
        (N, C) float64.

    >>> timeline = Timeline(np.zeros(5, int), np.arange(5.0))
    >>> peaks(np.array([[0.2], [0.9], [0.3], [0.8], [0.1]]), timeline, reach=2)[:, 0].tolist()
    [0.0, 0.9, 0.0, 0.0, 0.0]
    """
    columns = second_share(scores)[:, None] if exclusive else scores
    ranked, order = columns[timeline.in_time], timeline.order[timeline.in_time]
    is_kept = np.zeros(ranked.shape, dtype=bool)
    for rows in timeline.each():
        for column in range(ranked.shape[1]):
            part = ranked[rows, column]
            is_kept[rows.start + _picked(part, order[rows], timeline.reached(reach)), column] = True
    found = np.empty_like(is_kept)
    found[timeline.in_time] = is_kept
    if exclusive:
        others = np.stack([scores.sum(axis=1), np.zeros(len(scores))], axis=1)
        return np.where(found, scores, others)
    return np.where(found, scores, 0.0)


def _picked(scores: np.ndarray, order: np.ndarray, reach: float) -> np.ndarray:
    """Places of the peaks of one sequence that no higher one removes."""
    tops = _local_maxima(scores)
    first, end = within(order[tops], reach)
    is_left = np.ones(len(tops), dtype=bool)
    kept = []
    for top in np.argsort(-scores[tops], kind="stable").tolist():
        if is_left[top]:
            is_left[first[top] : end[top]] = False
            kept.append(top)
    return tops[kept]


def _local_maxima(scores: np.ndarray) -> np.ndarray:
    """Places of scores above both neighbours; of a level stretch its middle."""
    starts = np.flatnonzero(np.diff(scores, prepend=np.nan) != 0)
    ends = np.append(starts[1:], len(scores)) - 1
    levels = np.concatenate([[-np.inf], scores[starts], [-np.inf]])
    is_top = (levels[1:-1] > levels[:-2]) & (levels[1:-1] > levels[2:])
    middle: np.ndarray = ((starts + ends) // 2)[is_top]
    return middle


SCORE_STEPS = {"peaks": peaks}
