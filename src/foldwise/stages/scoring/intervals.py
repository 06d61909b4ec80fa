"""How sure a score is, and the gain of one run over another: paired, by resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.metrics import Metric
from foldwise.metrics.bootstrap import Interval, interval, paired_interval
from foldwise.stages.scoring.held_out import HeldOut

#: Resamples of each interval.
RESAMPLES = 1000


def score_interval(held: HeldOut, metric: Metric) -> Interval | None:
    """The bootstrap interval of a score; groups are resampled where there are any.

    Raises:
        ValueError: the metric is undefined on these rows.
    """
    return interval(
        metric,
        held.preds(metric),
        held.target,
        weight=held.weight,
        groups=held.groups,
        num=RESAMPLES,
    )


@dataclass(frozen=True)
class Gain:
    """How much better one run is than another on their common rows; positive is better.

    Attributes:
        point: on all common rows.
        low: lower end of the paired interval; None: no interval can be given.
        high: its upper end.
        covers: what was resampled.
        num_rows: common rows.
    """

    point: float
    low: float | None
    high: float | None
    covers: str | None
    num_rows: int


def gain_over(reference: HeldOut, challenger: HeldOut) -> Gain | None:
    """What the challenger is better by, on the rows that both have.

    Returns:
        None without common rows, or where the metric is undefined on them.
    """
    common = np.intersect1d(reference.rows, challenger.rows)
    if not len(common):
        return None
    first, second = (held.among(np.isin(held.rows, common)) for held in (reference, challenger))
    metric = first.problem.metric
    try:
        found = paired_interval(
            metric,
            first.preds(metric),
            second.preds(metric),
            first.target,
            higher_is_better=metric.higher_is_better,
            weight=first.weight,
            groups=first.groups,
            num=RESAMPLES,
        )
    except ValueError:
        return None
    ends = found.interval
    if ends is None:
        return Gain(found.point, None, None, None, len(common))
    return Gain(found.point, ends.low, ends.high, ends.covers, len(common))
