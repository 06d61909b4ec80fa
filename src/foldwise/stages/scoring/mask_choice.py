"""Which decision for maps: the fixed one, or thresholds, areas and gates that win cross-fitted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from foldwise.decide import Decision, NoExactFitError
from foldwise.decide.fit_masks import MaskCurves, mask_curves
from foldwise.device import num_cores
from foldwise.errors import ConfigError
from foldwise.stages.scoring.choice import Choice, Tried, too_few
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import gain_over

#: What is fitted: nothing; thresholds and smallest areas; these and what a class's answer waits
#: for, its top pixels or another run's word on the sample.
Rung = Literal["fixed", "areas", "top_scores", "gates"]

_WORDS = {
    "areas": "fitted thresholds and smallest areas",
    "top_scores": "a least score of the top pixels beside them",
    "gates": "gates beside them",
}


@dataclass(frozen=True)
class MaskFits:
    """Decisions fitted to any of the folds, from one look at the maps.

    Attributes:
        held: all out-of-fold maps with the fixed decision.
    """

    held: HeldOut

    @cached_property
    def rungs(self) -> tuple[Rung, ...]:
        """What can be fitted, the simplest first."""
        has_gates = self.held.scores.gates is not None
        return ("areas", "top_scores", "gates") if has_gates else ("areas", "top_scores")

    def decision(self, rung: Rung, folds: Collection[int]) -> Decision:
        """The decision that is fitted to some folds.

        Raises:
            NoExactFitError: none is known for the metric, or there is nothing to fit.
        """
        fixed = self.held.decision
        if rung == "fixed":
            return fixed
        curves = self._gated if rung == "gates" else self._plain
        step = curves.fit(fixed.steps[-1], folds=folds, is_gated=rung != "areas")
        return Decision((*fixed.steps[:-1], step))

    @cached_property
    def _plain(self) -> MaskCurves:
        return self._looked("top_scores")

    @cached_property
    def _gated(self) -> MaskCurves:
        return self._looked("gates")

    def _looked(self, gate: Literal["top_scores", "gates"]) -> MaskCurves:
        held = self.held
        if held.decision.steps[-1].name != "masks":
            raise NoExactFitError(f"there is nothing to fit in {held.decision.steps[-1].name}")
        return mask_curves(
            held.scores,
            held.target,
            held.folds,
            metric=held.problem.metric_name,
            gate=gate,
            groups=held.groups,
            weight=held.weight,
            workers=num_cores(),
        )


def decide_masks(fixed: HeldOut) -> tuple[Choice, dict[int, Choice]]:
    """The decision for rows that are not among these, and what is decided without each fold.

    Args:
        fixed: out-of-fold maps with the fixed decision.

    Raises:
        ConfigError: fitted decisions are asked for, and the metric has no exact fit.
    """
    fits, asked = MaskFits(fixed), fixed.problem.competition.submission.decision
    final = _choose(fits, fixed, asked, fewest_folds=3)
    folds = np.unique(fixed.folds).tolist()
    if len(folds) < 2:
        return final, {}
    return final, {
        fold: _choose(fits, fixed.among(fixed.folds != fold), asked, fewest_folds=2)
        for fold in folds
    }


def _choose(fits: MaskFits, held: HeldOut, asked: str, *, fewest_folds: int) -> Choice:
    """The decision for rows that are not among these folds."""
    if asked == "shares":
        raise ConfigError(
            "submission.decision: shares: masks have no shares of classes",
            remedy="use decision: auto, fixed or fitted",
        )
    if asked == "fixed":
        return Choice(held.decision, "fixed", "the fixed decision, as asked for")
    folds = np.unique(held.folds).tolist()
    try:
        if asked == "fitted":
            rung: Rung = "gates" if "gates" in fits.rungs else "areas"
            return Choice(fits.decision(rung, folds), "fitted", "as asked for")
        fits.decision("areas", folds)
    except NoExactFitError as error:
        if asked != "auto":
            raise ConfigError(
                f"submission.decision: {asked}: {error}", remedy="use decision: auto or fixed"
            ) from None
        return Choice(held.decision, "fixed", str(error))
    if len(folds) < fewest_folds:
        return Choice(held.decision, "fixed", too_few(held))
    return _climbed(fits, held, folds)


def _climbed(fits: MaskFits, held: HeldOut, folds: list[int]) -> Choice:
    """The last rung that wins cross-fitted over the one before it that does."""
    taken: Rung = "fixed"
    best, tried = held.with_answers(), []
    for rung in fits.rungs:
        by_fold = {
            fold: fits.decision(rung, [other for other in folds if other != fold]) for fold in folds
        }
        crossed = replace(held, by_fold=by_fold).with_answers()
        gain = gain_over(best, crossed)
        if gain is None or gain.low is None or gain.high is None:
            told = "" if gain is None else f", {gain.point:+.4f} cross-fitted"
            reason = f"{_WORDS[rung]} could not be proved better{told}: no interval can be given"
            facts = None if gain is None else asdict(gain)
            tried.append(Tried((rung,), is_used=False, reason=reason, gain=facts))
            continue
        is_used = gain.low > 0
        reason = (
            f"{_WORDS[rung]} {'win' if is_used else 'do not win'} cross-fitted: "
            f"{gain.point:+.4f}, {gain.low:+.4f} to {gain.high:+.4f}, {gain.covers}"
        )
        tried.append(Tried((rung,), is_used, reason, asdict(gain)))
        if is_used:
            taken, best = rung, crossed
    decision = fits.decision(taken, folds)
    kind = "fixed" if taken == "fixed" else "fitted"
    first, *others = tried
    return Choice(decision, kind, first.reason, first.gain, masks=tuple(others))
