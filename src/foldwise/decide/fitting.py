"""A decision fitted to scores: its answer step replaced by the best one for a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from foldwise.decide.classes import second_share
from foldwise.decide.cuts import one_column
from foldwise.decide.decision import Decision, Step
from foldwise.decide.fit_cuts import fit_cuts
from foldwise.decide.fit_thresholds import fit_threshold, fit_thresholds
from foldwise.decide.shares import cuts_for_shares, thresholds_for_shares
from foldwise.decide.timeline import Timeline
from foldwise.errors import NoExactFitError

__all__ = ["FITS", "NoExactFitError", "fit_decision"]


def fit_decision(
    decision: Decision,
    scores: np.ndarray,
    target: np.ndarray,
    *,
    metric: str,
    options: Mapping[str, Any],
    num_classes: int,
    weight: np.ndarray | None = None,
    method: Literal["exact", "shares"] = "exact",
    shares: np.ndarray | None = None,
    timeline: Timeline | None = None,
) -> Decision:
    """The decision with its last step fitted; the score steps before it stay and act first.

    Cuts and thresholds are fitted as such. Two exclusive classes get a `threshold` instead of
    `argmax`.

    Args:
        decision: what the scores go through so far; of equally good steps the nearest to its last.
        scores: (N, C) float, as the decision takes them.
        target: (N,) or (N, C) int.
        metric: name in the table of metrics, whose score is raised.
        options: the metric's.
        num_classes: classes, grades or labels.
        weight: (N,) float, or None for ones; rows of weight 0 are absent.
        method: `exact`: the best score on these rows; `shares`: each class as often as `shares`
            say, whatever the metric.
        shares: (C,) share of the rows that are of each class or have each label, for `shares`.
        timeline: where the rows stand in time, for score steps that look at neighbours.

    Returns:
        The decision with one step `fitted`.

    Raises:
        NoExactFitError: none is known for this step and metric: keep the decision as it is.
        DataError: the scores or shares do not fit the decision.
        ValueError: no rows, or targets and weights that do not fit.
    """
    *before, last = decision.steps
    if last.name not in FITS:
        raise NoExactFitError(f"there is nothing to fit in a decision that ends with {last.name}")
    values = decision.scores(scores, timeline)
    asked = _Asked(last, target, num_classes, weight, metric, options, shares)
    step = FITS[last.name](values, asked, method == "shares")
    return Decision((*before, step))


@dataclass(frozen=True)
class _Asked:
    """What a step is to be fitted to, beside the scores."""

    step: Step
    target: np.ndarray
    num_classes: int
    weight: np.ndarray | None
    metric: str
    options: Mapping[str, Any]
    shares: np.ndarray | None

    @property
    def wanted(self) -> np.ndarray:
        if self.shares is None:
            raise ValueError("method shares needs shares")
        return self.shares

    @property
    def f_options(self) -> dict[str, Any]:
        """The metric's options where a threshold depends on them."""
        return {key: self.options[key] for key in ("beta", "average") if key in self.options}


def _cuts(scores: np.ndarray, asked: _Asked, by_shares: bool) -> Step:
    column, fixed = one_column(scores), asked.step.options["values"]
    if by_shares:
        values = cuts_for_shares(column, asked.wanted, weight=asked.weight, fixed=fixed)
    else:
        values = fit_cuts(
            column,
            asked.target,
            metric=asked.metric,
            num_grades=asked.num_classes,
            weight=asked.weight,
            fixed=fixed,
        )
    return Step("cuts", {"values": values}, fitted=True)


def _thresholds(scores: np.ndarray, asked: _Asked, by_shares: bool) -> Step:
    fixed = asked.step.options.get("values", 0.5)
    if by_shares:
        values = thresholds_for_shares(scores, asked.wanted, weight=asked.weight, fixed=fixed)
    else:
        values = fit_thresholds(
            scores,
            asked.target,
            metric=asked.metric,
            weight=asked.weight,
            fixed=fixed,
            **asked.f_options,
        )
    return Step("thresholds", {"values": values}, fitted=True)


def _threshold(scores: np.ndarray, asked: _Asked, by_shares: bool) -> Step:
    if asked.num_classes != 2:
        raise NoExactFitError(
            f"the choice between {asked.num_classes} exclusive classes has no threshold to fit; "
            "between two it has"
        )
    column, fixed = second_share(scores), asked.step.options.get("value", 0.5)
    if by_shares:
        value = cuts_for_shares(column, asked.wanted, weight=asked.weight, fixed=[fixed])[0]
    else:
        value = fit_threshold(
            column,
            asked.target,
            metric=asked.metric,
            weight=asked.weight,
            fixed=fixed,
            **asked.f_options,
        )
    return Step("threshold", {"value": value}, fitted=True)


#: Answer step → what fits it.
FITS: dict[str, Callable[[np.ndarray, _Asked, bool], Step]] = {
    "argmax": _threshold,
    "threshold": _threshold,
    "thresholds": _thresholds,
    "cuts": _cuts,
}
