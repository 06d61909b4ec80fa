"""What blending is worth over the best single member and over the plain mean, told honestly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from foldwise.blending.crossfit import Fitted, cross_fitted_best
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members

Verdict = Literal["gain", "loss", "undecided"]


@dataclass(frozen=True)
class Ends:
    """An interval and what was resampled for it."""

    low: float
    high: float
    covers: str


#: `paired(scores, references, rows)`: how much better the first is than each reference, positive
#: for better; (n, C) each of the rows at these positions, all rows if None. None where no honest
#: interval can be given, as for fewer than 20 groups.
PairedIntervals = Callable[[np.ndarray, Sequence[np.ndarray], np.ndarray | None], list[Ends | None]]


@dataclass(frozen=True)
class Gain:
    """How much better a blend is than one simpler thing; positive is better.

    Attributes:
        naive: fitted, chosen and scored on the same rows.
        cross_fitted: both were fitted, and chosen, without the fold they are scored on; None
            with one fold.
        low: lower end of the paired interval of the cross-fitted gain; None without one.
        high: its upper end.
        covers: what was resampled for it.
        verdict: `gain` only if the interval lies above 0.
    """

    naive: float
    cross_fitted: float | None
    low: float | None
    high: float | None
    covers: str | None
    verdict: Verdict

    @classmethod
    def of(cls, naive: float, cross_fitted: float | None, ends: Ends | None) -> Gain:
        """With the verdict that the interval's ends allow."""
        if ends is None:
            return cls(naive, cross_fitted, None, None, None, verdict(None, None))
        said = verdict(ends.low, ends.high)
        return cls(naive, cross_fitted, ends.low, ends.high, ends.covers, said)


@dataclass(frozen=True)
class GainReport:
    """A blend against its best single member and against the plain mean of all of them.

    Attributes:
        solo_scores: each member alone, higher is better.
        best_member: the best of them on all rows.
        blend_score: the blend fitted and scored on all rows.
        over_best: over the best member, which in each fold is chosen on the other folds.
        over_mean: over the plain mean of all members.
        verdict: see `overall`.
        weights: of the blend fitted on all rows.
        best_per_fold: the member that was chosen for each fold.
        weights_per_fold: the weights that were fitted for each fold.
    """

    solo_scores: dict[str, float]
    best_member: str
    blend_score: float
    over_best: Gain
    over_mean: Gain
    verdict: Verdict
    weights: dict[str, float]
    best_per_fold: dict[int, str]
    weights_per_fold: dict[int, dict[str, float]]

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
    fitted: Fitted,
    goal: Goal,
    paired: PairedIntervals,
    refitted: Sequence[Ends | None] | None = None,
) -> GainReport:
    """What a fitted blend is worth.

    Args:
        members: out-of-fold predictions of N rows.
        names: M names of the members.
        folds: (N,) int.
        fitted: the blend of the same rows.
        goal: of the same rows.
        paired: intervals of gains, by resampling the cross-fitted scores as they are.
        refitted: intervals over best member and plain mean by `refit.refit_intervals`, to be
            used instead: these cover the fitting too.

    Raises:
        ValueError: the score is undefined on all rows, or on those outside a fold.
    """
    solo = [goal(scores) for scores in members.scores]
    best = int(np.argmax(solo))
    plain = members.scores.mean(axis=0)
    plain_score, blend_score = goal(plain), goal(fitted.scores)
    crosses: list[float | None] = [None, None]
    ends: Sequence[Ends | None] = [None, None]
    chosen: dict[int, int] = {}
    if fitted.without:
        reference, chosen = cross_fitted_best(members, folds, goal)
        crossed = goal(fitted.crossed)
        crosses = [crossed - goal(reference), crossed - plain_score]
        ends = refitted or paired(fitted.crossed, [reference, plain], None)
    over_best = Gain.of(blend_score - solo[best], crosses[0], ends[0])
    over_mean = Gain.of(blend_score - plain_score, crosses[1], ends[1])
    return GainReport(
        solo_scores=_named(names, solo),
        best_member=names[best],
        blend_score=blend_score,
        over_best=over_best,
        over_mean=over_mean,
        verdict=overall(over_best, over_mean, is_mean=fitted.blend.method == "mean"),
        weights=_named(names, fitted.blend.weights),
        best_per_fold={fold: names[member] for fold, member in chosen.items()},
        weights_per_fold={k: _named(names, blend.weights) for k, blend in fitted.without.items()},
    )


def overall(over_best: Gain, over_mean: Gain, *, is_mean: bool) -> Verdict:
    """The verdict on a blend: what is simpler stands until it is beaten.

    A mean, which is the default, has only the best single member to beat. Fitted weights have to
    beat both that and the plain mean of all members, and lose if they lose to either. Asking for
    both makes a false `gain` no likelier than the likelier of the two.

    Args:
        over_best: gain over the best single member.
        over_mean: gain over the plain mean of all members.
        is_mean: the blend is itself a plain mean, of all members or of comparable ones.
    """
    if is_mean:
        return over_best.verdict
    both = {over_best.verdict, over_mean.verdict}
    if "loss" in both:
        return "loss"
    return "gain" if both == {"gain"} else "undecided"


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


def _named(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(names, values, strict=True))
