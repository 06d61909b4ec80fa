"""Hysteresis: a label comes on at a high score and goes off at a lower one."""

from __future__ import annotations

import numpy as np

from foldwise.decide.classes import second_share
from foldwise.decide.timeline import Timeline
from foldwise.errors import ConfigError


def hysteresis(
    scores: np.ndarray,
    timeline: Timeline,
    *,
    enter: float | list[float],
    leave: float | list[float],
    exclusive: bool = False,
) -> np.ndarray:
    """Labels that hold from a score of `enter` on until one below `leave`, in each sequence.

    A score that wavers about one threshold flickers; between two the answer stays what it was. A
    sequence begins with the label off. A score exactly on a threshold counts as above it.

    Args:
        scores: (N, C) float.
        timeline: where the N rows stand; a row that is alone is on from `enter`.
        enter: one threshold, or one for each label.
        leave: the same, none above its `enter`.
        exclusive: there are two columns, of two classes that exclude each other: the second holds
            by its share of the two.

    Returns:
        (N, C) int64 of 0 and 1; (N,) if exclusive.

    Raises:
        ConfigError: another number of thresholds than of labels, or a `leave` above its `enter`.

    Source: Canny (1986), "A computational approach to edge detection", IEEE PAMI 8(6), 679-698,
    whose two thresholds along an edge these are along time.

    >>> timeline = Timeline(np.zeros(5, int), np.arange(5.0))
    >>> scores = np.array([[0.5], [0.9], [0.5], [0.2], [0.5]])
    >>> hysteresis(scores, timeline, enter=0.8, leave=0.4)[:, 0].tolist()
    [0, 1, 1, 0, 0]
    """
    columns = second_share(scores)[:, None] if exclusive else scores
    high, low = (_limits(value, columns.shape[1]) for value in (enter, leave))
    if (low > high).any():
        label = int(np.flatnonzero(low > high)[0])
        raise ConfigError(
            f"hysteresis: leave {low[label]:g} is above enter {high[label]:g}",
            remedy="a label leaves at a lower score than it enters at",
        )
    ranked = columns[timeline.in_time]
    is_on = np.empty(ranked.shape, dtype=np.int64)
    # What a row decides by itself, else the last row of its sequence that did.
    decides = (ranked >= high) | (ranked < low) | timeline.is_start[:, None]
    last = np.maximum.accumulate(np.where(decides, np.arange(len(ranked))[:, None], 0), axis=0)
    is_on[timeline.in_time] = np.take_along_axis(ranked >= high, last, axis=0)
    return is_on[:, 0] if exclusive else is_on


def peak_since(scores: np.ndarray, timeline: Timeline, leave: float) -> np.ndarray:
    """The highest score since the score last fell below `leave`: what `enter` is compared with.

    Args:
        scores: (N,) float.
        timeline: where the N rows stand.
        leave: the lower threshold.

    Returns:
        (N,) float64; -inf where the score is below `leave`. A label is on where this reaches
        `enter`.
    """
    ranked = scores[timeline.in_time]
    is_off = ranked < leave
    stretch = np.cumsum(timeline.is_start | is_off)
    found = np.full(len(scores), -np.inf)
    found[timeline.in_time] = _running_max(np.where(is_off, -np.inf, ranked), stretch)
    return found


def _running_max(values: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """(N,) the maximum from the start of each stretch up to each value."""
    levels, ranks = np.unique(values, return_inverse=True)
    # A later stretch's numbers are above all of an earlier one, so none reaches into it.
    base = stretch * len(levels)
    found: np.ndarray = levels[np.maximum.accumulate(ranks + base) - base]
    return found


def _limits(values: float | list[float], num_columns: int) -> np.ndarray:
    limits = np.asarray(values, dtype=np.float64)
    if limits.ndim and len(limits) != num_columns:
        raise ConfigError(f"hysteresis: {len(limits)} thresholds for {num_columns} labels")
    return np.broadcast_to(limits, (num_columns,))


ANSWER_STEPS = {"hysteresis": hysteresis}
