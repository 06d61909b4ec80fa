"""Hysteresis fitted to a metric: for each lower threshold the best upper one there is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from foldwise.decide.fit_thresholds import (
    LABEL_METRICS,
    TWO_CLASS_METRICS,
    Average,
    best_threshold,
)
from foldwise.decide.hysteresis import peak_since
from foldwise.decide.timeline import Timeline
from foldwise.errors import NoExactFitError

# Lower thresholds that are tried, at even shares of the rows.
_NUM_LEAVES = 32
# Totals this near are equal: rounding is all they differ by.
_LEVEL = 1e-12


def fit_hysteresis(
    scores: np.ndarray,
    timeline: Timeline,
    target: np.ndarray,
    *,
    metric: str,
    beta: float = 1.0,
    average: Average = "macro",
    exclusive: bool = False,
    weight: np.ndarray | None = None,
    fixed: float | list[float] = 0.5,
) -> tuple[list[float], list[float]]:
    """The upper and lower thresholds, a pair for each label, of the best score on these rows.

    With the lower one given, a label is on where the highest score since it was last below that
    reaches the upper one. So the upper one is an ordinary threshold on these running maxima, and
    is fitted exactly. Lower ones are tried at the quantiles of the scores. Of equally good pairs
    the one with the highest lower threshold is taken, the nearest to no hysteresis at all.

    Args:
        scores: (N, C) float; (N, 1) share of the second class if exclusive.
        timeline: where the N rows stand.
        target: (N, C) 0/1.
        metric: see `check_metric`.
        beta: of `f_beta`.
        average: of `f_beta`.
        exclusive: two classes of which one holds, as opposed to any number of labels.
        weight: (N,) float, or None for ones; rows of weight 0 are seen, and do not count.
        fixed: one upper threshold to stay near, or one for each label.

    Returns:
        C upper and C lower thresholds.

    Raises:
        NoExactFitError: as `check_metric`.
        ValueError: no rows, or shapes that do not fit.
    """
    check_metric(metric, average, exclusive=exclusive)
    places = np.broadcast_to(np.asarray(fixed, dtype=np.float64), scores.shape[1:])
    # The mean over labels is best where each label alone is.
    fit = partial(
        best_threshold,
        metric=metric,
        beta=beta,
        average=average if exclusive else "binary",
        weight=weight,
    )
    pairs = [
        _pair(scores[:, c], timeline, target[:, c], fit, float(places[c]))
        for c in range(scores.shape[1])
    ]
    return [high for high, _ in pairs], [low for _, low in pairs]


def check_metric(metric: str, average: str, *, exclusive: bool) -> None:
    """Whether hysteresis can be fitted to a metric.

    Args:
        metric: by name.
        average: of `f_beta`.
        exclusive: two classes of which one holds, as opposed to any number of labels.

    Raises:
        NoExactFitError: it cannot; the message has the metrics to which it can.
    """
    known = TWO_CLASS_METRICS if exclusive else LABEL_METRICS
    is_mean = exclusive or metric != "f_beta" or average == "macro"
    if metric not in known or not is_mean:
        named = f"{metric} (average: {average})" if metric == "f_beta" else metric
        raise NoExactFitError(
            f"hysteresis cannot be fitted to {named}; it can be to {', '.join(known)}"
            + ("" if is_mean else " with average: macro")
        )


def _pair(
    scores: np.ndarray,
    timeline: Timeline,
    target: np.ndarray,
    fit: Callable[..., tuple[float, float]],
    fixed: float,
) -> tuple[float, float]:
    """The upper and the lower threshold of one label."""
    best_total, best = -np.inf, (fixed, fixed)
    for leave in _leaves(scores, fixed):
        peak = peak_since(scores, timeline, leave)
        is_off = np.isneginf(peak)
        below = leave - 1.0
        enter, total = fit(
            np.where(is_off, below, peak),
            target,
            fixed=max(fixed, leave),
            above=below if is_off.any() else None,
        )
        if total > best_total + _LEVEL:
            # Between rows that are off and the lowest that may be on, any threshold is the same.
            best_total, best = total, (max(enter, leave), leave)
    return best


def _leaves(scores: np.ndarray, fixed: float) -> list[float]:
    """Lower thresholds to try, from high to low; each midway between neighbouring scores."""
    levels = np.unique(scores)
    middles = (levels[1:] + levels[:-1]) / 2
    if len(middles) > _NUM_LEAVES:
        wanted = np.quantile(scores, np.linspace(0, 1, _NUM_LEAVES + 2)[1:-1])
        middles = middles[np.minimum(np.searchsorted(middles, wanted), len(middles) - 1)]
    return sorted({*middles.tolist(), fixed}, reverse=True)
