"""Which decision for maps: the fixed one, or thresholds, areas, shapes and gates that win."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from foldwise.decide import Decision, NoExactFitError
from foldwise.decide.fit_masks import fit_masks
from foldwise.decide.mask_curves import Gate, MaskCurves, mask_curves
from foldwise.device import num_cores
from foldwise.errors import ConfigError
from foldwise.stages.scoring.choice import Choice, Tried, too_few
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import Gain, gain_over

#: What a rung adds to those before it.
More = Literal["alike", "areas", "shapes"] | Gate


class Rung(NamedTuple):
    """What is fitted.

    Attributes:
        areas: thresholds and smallest areas.
        alike: all that is fitted is the same for all classes.
        shapes: whether holes are filled, and the largest component alone is kept.
        gate: what a class's answer waits for: its top pixels, or the mean of these and of another
            run's word on the sample.
    """

    areas: bool = False
    alike: bool = False
    shapes: bool = False
    gate: Gate | None = None

    def with_more(self, name: More) -> Rung:
        """What fits that as well; a gate stands in the place of another.

        Classes have values of their own from the rung `areas` on, if that was taken.
        """
        alike = name != "areas" and (self.alike or not self.areas)
        shapes = self.shapes or name == "shapes"
        if name == "alike" or name == "areas" or name == "shapes":
            return Rung(areas=True, alike=alike, shapes=shapes, gate=self.gate)
        return Rung(areas=True, alike=alike, shapes=shapes, gate=name)


_WORDS: dict[More, str] = {
    "alike": "fitted thresholds and smallest areas, the same for all classes,",
    "areas": "thresholds and smallest areas of each class's own",
    "shapes": "filled holes or the largest component alone beside them",
    "top_scores": "least scores of the top pixels beside them",
    "joint_gates": "least means of gate and top pixels beside them",
}


@dataclass(frozen=True)
class MaskFits:
    """Decisions fitted to any of the folds, from one look at the maps.

    Attributes:
        held: all out-of-fold maps with the fixed decision.
    """

    held: HeldOut
    _known: dict[tuple[Rung, frozenset[int]], Decision] = field(default_factory=dict, repr=False)

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """What a class's answer may wait for, what is to be had in any run first."""
        has_gates = self.held.scores.gates is not None
        return ("top_scores", "joint_gates") if has_gates else ("top_scores",)

    def decision(self, rung: Rung, folds: Collection[int]) -> Decision:
        """The decision that is fitted to some folds.

        Raises:
            NoExactFitError: none is known for the metric, or there is nothing to fit.
        """
        fixed, asked = self.held.decision, (rung, frozenset(folds))
        if not rung.areas:
            return fixed
        if asked not in self._known:
            step = fit_masks(
                fixed.steps[-1],
                self._curves,
                folds=folds,
                gate=rung.gate,
                any_shape=rung.shapes,
                alike=rung.alike,
            )
            self._known[asked] = Decision((*fixed.steps[:-1], step))
        return self._known[asked]

    @cached_property
    def _curves(self) -> MaskCurves:
        held, (*_, last) = self.held, self.held.decision.steps
        if last.name != "masks":
            raise NoExactFitError(f"there is nothing to fit in {last.name}")
        return mask_curves(
            held.scores,
            held.target,
            held.folds,
            metric=held.problem.metric_name,
            gates=self.gates,
            options=last.options,
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
    fixed = fixed.with_answers()  # Once: the choice without each fold begins there, too.
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
            rung = Rung(areas=True, gate="joint_gates" if "joint_gates" in fits.gates else None)
            return Choice(fits.decision(rung, folds), "fitted", "as asked for")
        fits.decision(Rung(areas=True, alike=True), folds)
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
    """The last rung that wins cross-fitted over the one before it that does.

    A gate has to win over all that was tried before it, won or not: what thresholds, areas or top
    pixels alone bring is no gain of the gate's.
    """
    own: tuple[More, ...] = ("areas",) if held.scores.num_classes > 1 else ()
    names: tuple[More, ...] = ("alike", *own, "shapes", *fits.gates)
    taken, best, tried = Rung(), held.with_answers(), []
    highest = best
    for name in names:
        rung = taken.with_more(name)
        by_fold = {
            fold: fits.decision(rung, [other for other in folds if other != fold]) for fold in folds
        }
        crossed = replace(held, by_fold=by_fold).with_answers()
        is_gate = name in fits.gates
        found = _tried(name, gain_over(highest if is_gate else best, crossed))
        tried.append(found)
        if found.is_used:
            taken, best = rung, crossed
        highest = _higher(highest, crossed)
    first, *others = tried
    return Choice(
        fits.decision(taken, folds),
        "fitted" if taken.areas else "fixed",
        first.reason,
        first.gain,
        masks=tuple(others),
    )


def _higher(one: HeldOut, other: HeldOut) -> HeldOut:
    """Of the same rows by two decisions those with the higher score, else the first."""
    metric = one.problem.metric
    sign = 1.0 if metric.higher_is_better else -1.0
    return other if sign * (other.score(metric) - one.score(metric)) > 0 else one


def _tried(name: More, gain: Gain | None) -> Tried:
    """Whether a rung is used that gains so much over the one before it."""
    facts = None if gain is None else asdict(gain)
    if gain is None or gain.low is None or gain.high is None:
        told = "" if gain is None else f", {gain.point:+.4f} cross-fitted"
        reason = f"{_WORDS[name]} could not be proved better{told}: no interval can be given"
        return Tried((name,), is_used=False, reason=reason, gain=facts)
    is_used = gain.low > 0
    reason = (
        f"{_WORDS[name]} {'win' if is_used else 'do not win'} cross-fitted: "
        f"{gain.point:+.4f}, {gain.low:+.4f} to {gain.high:+.4f}, {gain.covers}"
    )
    return Tried((name,), is_used, reason, facts)
