"""Thresholds fitted to a metric: the best there are for labels, and for one class of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise.decide.fit_rows import fit_rows
from foldwise.decide.gaps import Gaps
from foldwise.decide.ratio import least_ratio
from foldwise.errors import NoExactFitError

Average = Literal["macro", "micro", "binary"]

#: Metrics of (N, C) labels that are a mean over labels, or a ratio of sums over cells.
LABEL_METRICS = ("macro_f1", "f_beta", "label_accuracy", "balanced_accuracy")

#: Metrics of two exclusive classes; with one threshold any metric could be scanned.
TWO_CLASS_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "f_beta")


def fit_thresholds(
    scores: np.ndarray,
    target: np.ndarray,
    *,
    metric: str,
    beta: float = 1.0,
    average: Average = "macro",
    weight: np.ndarray | None = None,
    fixed: float | list[float] = 0.5,
) -> list[float]:
    """The thresholds, one a label, that give the best score there is on these rows.

    Where the metric is a mean over labels, each label's scores are scanned for themselves. Micro
    F-beta is a ratio of sums over all cells, so that all labels are fitted together:
    `least_ratio`.

    Thresholds lie midway between neighbouring scores; a score on its threshold counts. Of equally
    good ones the nearest to the fixed is taken, as for a label without positives under F-beta.

    Args:
        scores: (N, C) float.
        target: (N, C) 0/1.
        metric: one of `LABEL_METRICS`, of the metrics' names.
        beta: of `f_beta`.
        average: of `f_beta`, `macro` or `micro`.
        weight: (N,) float, or None for ones; rows of weight 0 are absent.
        fixed: one threshold to stay near, or one for each label.

    Returns:
        C thresholds.

    Raises:
        NoExactFitError: no exact fit is known for the metric.
        ValueError: no rows, shapes that do not fit, targets or scores that are none.

    >>> fit_thresholds(np.array([[0.1], [0.3]]), np.array([[0], [1]]), metric="macro_f1")
    [0.2]
    """
    if metric not in LABEL_METRICS or (metric == "f_beta" and average == "binary"):
        why = ", as a row is right only with all its labels" if metric == "accuracy" else ""
        raise NoExactFitError(
            f"thresholds of labels cannot be fitted exactly to {_named(metric, average)}{why}; "
            f"they can be to {', '.join(LABEL_METRICS)}"
        )
    values, truth, weights = fit_rows(scores, target, weight, num_classes=2)
    places = np.broadcast_to(np.asarray(fixed, dtype=np.float64), values.shape[1:])
    labels = [_Scan.of(values[:, c], truth[:, c], weights) for c in range(values.shape[1])]
    if metric == "f_beta" and average == "micro":
        gaps = _best_micro(labels, places, beta)
    else:
        gaps = [
            label.gaps.nearest_best(label.totals(metric, beta, "binary"), place)
            for label, place in zip(labels, places, strict=True)
        ]
    return [
        label.gaps.place([gap], [place])[0]
        for label, gap, place in zip(labels, gaps, places, strict=True)
    ]


def fit_threshold(
    shares: np.ndarray,
    target: np.ndarray,
    *,
    metric: str,
    beta: float = 1.0,
    average: Average = "macro",
    weight: np.ndarray | None = None,
    fixed: float = 0.5,
) -> float:
    """The share of class 1, of two, from which on it should be decided.

    Args:
        shares: (N,) float, as `classes.second_share` gives them.
        target: (N,) 0 or 1.
        metric: one of `TWO_CLASS_METRICS`, of the metrics' names.
        beta: of `f_beta`.
        average: of `f_beta`.
        weight: (N,) float, or None for ones; rows of weight 0 are absent.
        fixed: threshold to stay near.

    Returns:
        The best threshold; of equally good ones the nearest to the fixed.

    Raises:
        NoExactFitError: the metric does not score two classes.
        ValueError: no rows, shapes that do not fit, targets or scores that are none.

    >>> fit_threshold(np.array([0.1, 0.3, 0.5]), np.array([0, 1, 1]), metric="accuracy")
    0.2
    """
    if metric not in TWO_CLASS_METRICS:
        raise NoExactFitError(
            f"a threshold between two classes cannot be fitted exactly to {metric}; it can be to "
            f"{', '.join(TWO_CLASS_METRICS)}"
        )
    found, _ = best_threshold(
        shares, target, metric=metric, beta=beta, average=average, weight=weight, fixed=fixed
    )
    return found


def best_threshold(
    scores: np.ndarray,
    target: np.ndarray,
    *,
    metric: str,
    beta: float,
    average: Average,
    weight: np.ndarray | None,
    fixed: float,
    above: float | None = None,
) -> tuple[float, float]:
    """The best threshold of one column, and the total that it reaches.

    Args:
        scores: (N,) float.
        target: (N,) 0 or 1.
        metric: one of `LABEL_METRICS` or `TWO_CLASS_METRICS`, for this label alone.
        beta: of `f_beta`.
        average: of `f_beta`; `binary` for one label of several.
        weight: (N,) float, or None for ones; rows of weight 0 are absent.
        fixed: threshold to stay near.
        above: a score that must stay below the threshold; None: the threshold may lie anywhere.

    Returns:
        The threshold; and the metric, or what rises with it.
    """
    scan = _Scan.of(*fit_rows(scores, target, weight, num_classes=2))
    totals = scan.totals(metric, beta, average)
    if above is not None:
        totals = np.where(scan.gaps.low >= above, totals, totals.min() - 1.0)
    gap = scan.gaps.nearest_best(totals, fixed)
    return scan.gaps.place([gap], [fixed])[0], float(totals[gap])


@dataclass(frozen=True)
class _Scan:
    """What a threshold in each gap gives.

    Attributes:
        below: (2, G) weight of negatives and positives below each gap.
    """

    gaps: Gaps
    below: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> _Scan:
        gaps = Gaps.of(scores)
        return cls(gaps, np.stack([gaps.sums_below(weights * (target == c)) for c in (0, 1)]))

    @property
    def support(self) -> np.ndarray:
        """(2, 1) weight of negatives and positives."""
        return self.below[:, -1:]

    @property
    def found(self) -> np.ndarray:
        """(2, G) weight of negatives not called and of positives called."""
        return np.stack([self.below[0], self.support[1] - self.below[1]])

    @property
    def called(self) -> np.ndarray:
        """(2, G) weight of the rows decided for 0 and for 1."""
        return np.stack([self.below.sum(axis=0), (self.support - self.below).sum(axis=0)])

    def totals(self, metric: str, beta: float, average: Average) -> np.ndarray:
        """(G,) the metric, or what rises with it."""
        present = self.support[:, 0] > 0
        if metric in ("accuracy", "label_accuracy") or (metric, average) == ("f_beta", "micro"):
            totals: np.ndarray = self.found.sum(axis=0) / self.support.sum()
        elif metric == "balanced_accuracy":
            totals = (self.found[present] / self.support[present]).mean(axis=0)
        else:
            f = self._f(1.0 if metric == "macro_f1" else beta)
            occurs = present[:, None] | (self.called > 0)
            totals = f[1] if average == "binary" else f.sum(axis=0) / occurs.sum(axis=0)
        return totals

    def _f(self, beta: float) -> np.ndarray:
        both = self.called + beta**2 * self.support
        f = np.zeros_like(both)
        np.divide((1 + beta**2) * self.found, both, out=f, where=both > 0)
        return f


def _best_micro(labels: list[_Scan], places: np.ndarray, beta: float) -> list[int]:
    """The gaps of greatest micro F-beta.

    1 - F is the weighed errors over positives and calls, both sums over cells.
    """
    support = sum(float(label.support[1, 0]) for label in labels)
    start = [
        label.gaps.nearest_best(-label.gaps.away(place), place)
        for label, place in zip(labels, places, strict=True)
    ]
    if support == 0:
        return start
    errors = [beta**2 * label.below[1] + (label.support - label.below)[0] for label in labels]
    calls = [label.called[1] for label in labels]

    def solve(ratio: float) -> list[int]:
        return [
            label.gaps.nearest_best(ratio * called - wrong, place)
            for label, wrong, called, place in zip(labels, errors, calls, places, strict=True)
        ]

    def ratio_of(gaps: list[int]) -> float:
        wrong = sum(float(error[gap]) for error, gap in zip(errors, gaps, strict=True))
        called = sum(float(call[gap]) for call, gap in zip(calls, gaps, strict=True))
        return wrong / (beta**2 * support + called)

    return least_ratio(solve, ratio_of, start=ratio_of(start))


def _named(metric: str, average: Average) -> str:
    return f"{metric} (average: {average})" if metric == "f_beta" else metric
