"""Which decision for maps: the fixed one, or thresholds, areas, shapes and chances that win."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from foldwise.decide import Decision, NoExactFitError, Step
from foldwise.decide.fit_chances import Evidence, fit_chances, read_evidence
from foldwise.decide.fit_masks import fit_masks
from foldwise.decide.mask_curves import MaskCurves, mask_curves
from foldwise.device import num_cores
from foldwise.errors import ConfigError
from foldwise.stages.scoring.choice import Choice, Tried, too_few
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import Gain, gain_over

T = TypeVar("T")

#: What a rung adds to those before it.
More = Literal["alike", "areas", "shapes", "top_scores", "chances", "gated_chances"]


class Rung(NamedTuple):
    """What is fitted.

    Attributes:
        areas: thresholds and smallest areas.
        alike: all that is fitted is the same for all classes.
        shapes: whether holes are filled, and the largest component alone is kept.
        top_scores: the least mean of the top pixels.
        chances: from which chance on a class is answered, and thresholds that go with it; alone.
            By the top pixels, or by these and the gate.
    """

    areas: bool = False
    alike: bool = False
    shapes: bool = False
    top_scores: bool = False
    chances: Literal["top_pixels", "gated"] | None = None

    def with_more(self, name: More) -> Rung:
        """What fits that as well; chances are fitted by themselves.

        Classes have values of their own from the rung `areas` on, if that was taken.
        """
        if name == "chances" or name == "gated_chances":
            return Rung(chances="top_pixels" if name == "chances" else "gated")
        return Rung(
            areas=True,
            alike=name != "areas" and (self.alike or not self.areas),
            shapes=self.shapes or name == "shapes",
            top_scores=self.top_scores or name == "top_scores",
        )


_WORDS: dict[More, str] = {
    "alike": "fitted thresholds and smallest areas, the same for all classes,",
    "areas": "thresholds and smallest areas of each class's own",
    "shapes": "filled holes or the largest component alone beside them",
    "top_scores": "least scores of the top pixels beside them",
    "chances": "chances by the top pixels that a class is there, and thresholds that go with them,",
    "gated_chances": "chances by gate and top pixels, and thresholds that go with them,",
}


@dataclass(frozen=True)
class MaskFits:
    """Decisions fitted to any of the folds, from one look at the maps.

    Attributes:
        held: all out-of-fold maps with the fixed decision.
    """

    held: HeldOut
    _known: dict[tuple[Rung, frozenset[int]], Decision] = field(default_factory=dict, repr=False)

    @property
    def is_gated(self) -> bool:
        """Whether another run says which classes are in a sample."""
        return self.held.scores.gates is not None

    def decision(self, rung: Rung, folds: Collection[int]) -> Decision:
        """The decision that is fitted to some folds.

        Raises:
            NoExactFitError: none is known for the metric, or there is nothing to fit.
        """
        fixed, asked = self.held.decision, (rung, frozenset(folds))
        if rung == Rung():
            return fixed
        if asked not in self._known:
            self._known[asked] = Decision((*fixed.steps[:-1], self._fitted(rung, folds)))
        return self._known[asked]

    def _fitted(self, rung: Rung, folds: Collection[int]) -> Step:
        step = self._step
        if rung.chances is not None:
            chosen = np.isin(self.held.folds, list(folds))
            return fit_chances(step, self._evidence, chosen, gated=rung.chances == "gated")
        return fit_masks(
            step,
            self._curves,
            folds=folds,
            any_top=rung.top_scores,
            any_shape=rung.shapes,
            alike=rung.alike,
        )

    @property
    def _step(self) -> Step:
        step = self.held.decision.steps[-1]
        if step.name != "masks":
            raise NoExactFitError(f"there is nothing to fit in {step.name}")
        return step

    @cached_property
    def _curves(self) -> MaskCurves:
        return self._read(mask_curves, self.held.folds)

    @cached_property
    def _evidence(self) -> Evidence:
        return self._read(read_evidence)

    def _read(self, read: Callable[..., T], *more: np.ndarray) -> T:
        """What is kept of the maps for fits."""
        held = self.held
        return read(
            held.scores,
            held.target,
            *more,
            metric=held.problem.metric_name,
            options=self._step.options,
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
            return _fitted(fits, folds)
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


def _fitted(fits: MaskFits, folds: list[int]) -> Choice:
    """What is fitted if that is asked for: chances where there is a gate and they are known.

    Raises:
        NoExactFitError: nothing can be fitted.
    """
    reason = "as asked for"
    if fits.is_gated:
        try:
            return Choice(fits.decision(Rung(chances="gated"), folds), "fitted", reason)
        except NoExactFitError as error:
            reason = f"{reason}, without the gate: {error}"
    return Choice(fits.decision(Rung(areas=True), folds), "fitted", reason)


def _climbed(fits: MaskFits, held: HeldOut, folds: list[int]) -> Choice:
    """The last rung that wins cross-fitted over the one before it that does.

    Chances by a gate, which was asked for, have to win over the fixed decision, as whatever is
    fitted does, and to score higher than all that was tried without it, won or not: what thresholds
    or top pixels alone bring is no gain of the gate's.
    """
    own: tuple[More, ...] = ("areas",) if held.scores.num_classes > 1 else ()
    gated: tuple[More, ...] = ("chances", "gated_chances") if fits.is_gated else ()
    names: tuple[More, ...] = ("alike", *own, "shapes", "top_scores", *gated)
    fixed = held.with_answers()
    taken, best, highest, tried = Rung(), fixed, fixed, []
    for name in names:
        rung = taken.with_more(name)
        try:
            crossed = _crossed(fits, held, rung, folds)
        except NoExactFitError as error:
            tried.append(Tried((name,), False, f"no {_WORDS[name].rstrip(',')}: {error}"))
            continue
        if name == "gated_chances":
            found = _gated(gain_over(highest, crossed), gain_over(fixed, crossed))
        else:
            found = _tried(name, gain_over(best, crossed))
        tried.append(found)
        if found.is_used:
            taken, best = rung, crossed
        highest = _higher(highest, crossed)
    first, *others = tried
    return Choice(
        fits.decision(taken, folds),
        "fixed" if taken == Rung() else "fitted",
        first.reason,
        first.gain,
        masks=tuple(others),
    )


def _crossed(fits: MaskFits, held: HeldOut, rung: Rung, folds: list[int]) -> HeldOut:
    """The same rows, each decided by what was fitted without its fold."""
    by_fold = {
        fold: fits.decision(rung, [other for other in folds if other != fold]) for fold in folds
    }
    return replace(held, by_fold=by_fold).with_answers()


def _higher(one: HeldOut, other: HeldOut) -> HeldOut:
    """Of the same rows by two decisions those with the higher score, else the first."""
    metric = one.problem.metric
    sign = 1.0 if metric.higher_is_better else -1.0
    return other if sign * (other.score(metric) - one.score(metric)) > 0 else one


def _tried(name: More, gain: Gain | None) -> Tried:
    """Whether a rung is used that gains so much over the one before it."""
    facts = None if gain is None else asdict(gain)
    if gain is None or gain.low is None:
        return Tried(
            (name,), False, f"{_WORDS[name]} could not be proved better{_told(gain)}", facts
        )
    is_used = gain.low > 0
    verb = "win" if is_used else "do not win"
    return Tried((name,), is_used, f"{_WORDS[name]} {verb} cross-fitted: {_told(gain)}", facts)


def _gated(over_highest: Gain | None, over_fixed: Gain | None) -> Tried:
    """Whether chances by the gate are used.

    Args:
        over_highest: their gain over what scores highest of all that was tried without the gate.
        over_fixed: over the fixed decision.
    """
    name: More = "gated_chances"
    facts = None if over_highest is None else asdict(over_highest)
    if over_highest is None or over_fixed is None or over_fixed.low is None:
        reason = f"{_WORDS[name]} could not be proved better{_told(over_fixed)}"
        return Tried((name,), False, reason, facts)
    is_used = over_fixed.low > 0 and over_highest.point > 0
    reason = (
        f"{_WORDS[name]} {'are' if is_used else 'are not'} used: cross-fitted over the fixed "
        f"decision {_told(over_fixed)}; over the highest without the gate {_told(over_highest)}"
    )
    return Tried((name,), is_used, reason, facts)


def _told(gain: Gain | None) -> str:
    """A gain with its interval; where there is none, that, as the end of a sentence."""
    if gain is None:
        return ": no interval can be given"
    if gain.low is None or gain.high is None:
        return f", {gain.point:+.4f} cross-fitted: no interval can be given"
    return f"{gain.point:+.4f}, {gain.low:+.4f} to {gain.high:+.4f}, {gain.covers}"
