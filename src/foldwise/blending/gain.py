"""What blending is worth: the gain over the best single member, naive and cross-fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from foldwise.blending.crossfit import best_member, cross_fitted, cross_fitted_best
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.blending.methods import Fit

Verdict = Literal["gain", "loss", "undecided"]

#: `paired(scores_a, scores_b)`: low end, high end and what is covered of how much better b is than
#: a, both (N, C) of all rows, positive for better; None if no interval can be given.
PairedInterval = Callable[[np.ndarray, np.ndarray], tuple[float, float, str] | None]


@dataclass(frozen=True)
class GainReport:
    """A blend against its best member; gains are positive where the blend is better.

    Attributes:
        solo_scores: each member alone, higher is better.
        best_member: the best of them on all rows.
        blend_score: the blend fitted and scored on all rows.
        naive_gain: of that blend over that member: both chosen on the rows they are scored on.
        cross_fitted_gain: in each fold blend and best member are chosen on the other folds;
            None with fewer than two folds.
        low: lower end of the paired interval of the cross-fitted gain; None without one.
        high: its upper end.
        covers: what was resampled for it.
        verdict: `gain` only if the interval lies above 0.
        weights: of the blend fitted on all rows.
        best_per_fold: the member that was chosen for each fold.
        weights_per_fold: the weights that were fitted for each fold.
        loss_without: naive score lost when a member is left out and the blend fitted again;
            positive for a member that helps. Empty for a single member.
    """

    solo_scores: dict[str, float]
    best_member: str
    blend_score: float
    naive_gain: float
    cross_fitted_gain: float | None
    low: float | None
    high: float | None
    covers: str | None
    verdict: Verdict
    weights: dict[str, float]
    best_per_fold: dict[int, str]
    weights_per_fold: dict[int, dict[str, float]]
    loss_without: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As nested JSON; folds become strings as JSON keys are."""
        value = asdict(self)
        for name in ("best_per_fold", "weights_per_fold"):
            value[name] = {str(fold): entry for fold, entry in value[name].items()}
        return value


def gain_report(
    members: Members,
    names: Sequence[str],
    folds: np.ndarray,
    *,
    fit: Fit,
    goal: Goal,
    paired: PairedInterval,
) -> GainReport:
    """Fit a blend on all rows and, for an honest gain, once without each fold.

    Args:
        members: out-of-fold predictions of N rows.
        names: M names of the members.
        folds: (N,) int.
        fit: a function of `BLENDS`, its options bound.
        goal: of the same rows.
        paired: the interval of the gain of its second argument over its first.

    Raises:
        ValueError: the score is undefined on all rows, or on those outside a fold.
    """
    solo = [goal(scores) for scores in members.scores]
    blend = fit(members, goal)
    blend_score = goal(blend.apply(members))
    best = best_member(members, goal)
    gain, ends, best_per_fold, weights_per_fold = None, None, {}, {}
    if len(np.unique(folds)) > 1:
        blended, blends = cross_fitted(members, folds, fit, goal)
        reference, chosen = cross_fitted_best(members, folds, goal)
        gain = goal(blended) - goal(reference)
        ends = paired(reference, blended)
        best_per_fold = {fold: names[member] for fold, member in chosen.items()}
        weights_per_fold = {fold: _named(names, b.weights) for fold, b in blends.items()}
    low, high, covers = ends if ends is not None else (None, None, None)
    return GainReport(
        solo_scores=_named(names, solo),
        best_member=names[best],
        blend_score=blend_score,
        naive_gain=blend_score - solo[best],
        cross_fitted_gain=gain,
        low=low,
        high=high,
        covers=covers,
        verdict=verdict(low, high),
        weights=_named(names, blend.weights),
        best_per_fold=best_per_fold,
        weights_per_fold=weights_per_fold,
        loss_without=_loss_without(members, names, fit, goal, blend_score),
    )


def verdict(low: float | None, high: float | None) -> Verdict:
    """What a paired interval says: `gain` above 0, `loss` below 0, else `undecided`.

    >>> verdict(0.001, 0.02), verdict(-0.01, 0.02), verdict(None, None)
    ('gain', 'undecided', 'undecided')
    """
    if low is not None and low > 0:
        return "gain"
    if high is not None and high < 0:
        return "loss"
    return "undecided"


def _loss_without(
    members: Members,
    names: Sequence[str],
    fit: Fit,
    goal: Goal,
    blend_score: float,
) -> dict[str, float]:
    losses = {}
    for member, name in enumerate(names if len(names) > 1 else ()):
        others = members.without(member)
        losses[name] = blend_score - goal(fit(others, goal).apply(others))
    return losses


def _named(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(names, values, strict=True))
