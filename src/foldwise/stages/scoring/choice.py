"""Which decision: the fixed one, or steps over time, cuts or thresholds that win cross-fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from foldwise.decide import Decision, NoExactFitError, fit_decision
from foldwise.errors import ConfigError
from foldwise.parts import options_of
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import Gain, gain_over
from foldwise.stages.scoring.over_time import asked_steps

#: The fold → scores of all rows but its own, as far as the fold's targets had no part in them.
Without = Callable[[int], HeldOut]


@dataclass(frozen=True)
class Tried:
    """Steps over time, and whether they are used.

    Attributes:
        steps: their names.
        is_used: whether they are part of the decision.
        reason: one sentence.
        gain: over the same decision without them, cross-fitted; None where it cannot be had.
    """

    steps: tuple[str, ...]
    is_used: bool
    reason: str
    gain: dict[str, Any] | None = None


@dataclass(frozen=True)
class Choice:
    """A decision and how it was chosen.

    Attributes:
        decision: for any rows.
        kind: `fixed`, `fitted` or `shares`; of steps over time, too.
        reason: one sentence, of cuts and thresholds.
        gain: of fitted cuts over the fixed ones, cross-fitted; None where none were fitted.
        over_time: what became of the steps over time that are asked for.
        masks: what became of the further steps of masks that were tried.
    """

    decision: Decision
    kind: str
    reason: str
    gain: dict[str, Any] | None = None
    over_time: tuple[Tried, ...] = ()
    masks: tuple[Tried, ...] = ()


def choose(fixed: HeldOut, without: Without, asked: str, *, fewest_folds: int = 2) -> Choice:
    """The decision for rows that are not among these.

    Steps over time come first, then cuts or thresholds of the scores behind them, then hysteresis
    in the place of these; with `auto` each has to win over what was chosen so far.

    Args:
        fixed: out-of-fold scores with the fixed decision.
        without: the same rows but one fold's, from scores the fold had no part in.
        asked: `auto`, `fixed`, `fitted` or `shares`.
        fewest_folds: with fewer, `auto` is fixed; 3 where the choice itself is cross-fitted, since
            it is made without each fold on at least two.

    Raises:
        ConfigError: fitted decisions are asked for, and the metric has no exact fit.
    """
    asked_for = asked_steps(fixed.problem)
    if asked_for is None:
        return _cut(fixed, without, asked, fewest_folds)
    rung, tried = _Rung.of(fixed, without), []
    if asked_for.before:
        names = tuple(step.name for step in asked_for.before)
        rung, found = _over_time(rung, asked_for.smoothed, names, asked, fewest_folds)
        tried.append(found)
    if asked_for.answer is None:
        choice = _cut(rung.held, rung.without, asked, fewest_folds)
    else:
        # What hysteresis has to win over, or is told to gain over: thresholds, fitted if it is.
        as_well = asked if asked == "auto" or _has_fit(rung.held) else "fixed"
        choice = _cut(rung.held, rung.without, as_well, fewest_folds)
        if choice.kind == "fitted":
            rung = rung.after(lambda held: fit_last(held, "exact"))
        names = (asked_for.answer.name,)
        rung, found = _over_time(rung, asked_for.held_on, names, asked, fewest_folds)
        tried.append(found)
        choice = replace(choice, decision=rung.held.decision)
        if found.is_used:
            choice = replace(choice, reason="hysteresis stands in the place of thresholds")
    kind = "fitted" if choice.decision.is_fitted else "fixed"
    return replace(choice, kind=kind, over_time=tuple(tried))


#: Rows with one decision → a decision that has more, fitted to them.
Fit = Callable[[HeldOut], Decision]


@dataclass(frozen=True)
class _Rung:
    """What has been chosen so far: a decision for all rows, and one without each fold.

    Attributes:
        held: the rows with the decision that is fitted to them.
        others: fold → the rows that are not in it, with the decision that is fitted to them.
    """

    held: HeldOut
    others: Mapping[int, HeldOut]

    @classmethod
    def of(cls, held: HeldOut, without: Without) -> _Rung:
        folds = np.unique(held.folds).tolist()
        return cls(held, {fold: without(fold) for fold in folds} if len(folds) > 1 else {})

    def without(self, fold: int) -> HeldOut:
        return self.others[fold]

    def after(self, fit: Fit) -> _Rung:
        """With the decision that the fit makes of each."""
        held = replace(self.held, decision=fit(self.held))
        others = {f: replace(part, decision=fit(part)) for f, part in self.others.items()}
        return _Rung(held, others)

    @property
    def crossed(self) -> HeldOut:
        """All rows, each decided by what was fitted without its fold."""
        by_fold = {fold: part.decision for fold, part in self.others.items()}
        return replace(self.held, by_fold=by_fold)


def _over_time(
    before: _Rung, fit: Fit, names: tuple[str, ...], asked: str, fewest_folds: int
) -> tuple[_Rung, Tried]:
    """Steps over time taken up as asked for, or where they win."""
    if asked == "auto" and len(before.others) < fewest_folds:
        return before, Tried(names, is_used=False, reason=too_few(before.held))
    after = before.after(fit)
    gain = gain_over(before.crossed, after.crossed) if before.others else None
    facts = None if gain is None else asdict(gain)
    if asked != "auto":
        told = "" if gain is None else f"; cross-fitted {_ends(gain)}"
        return after, Tried(names, is_used=True, reason=f"as asked for{told}", gain=facts)
    if gain is None or gain.low is None:
        told = "" if gain is None else f", {gain.point:+.4f} cross-fitted"
        reason = f"could not be proved better{told}: no interval can be given"
        return before, Tried(names, is_used=False, reason=reason, gain=facts)
    is_used = gain.low > 0
    reason = f"{'win' if is_used else 'do not win'} cross-fitted: {_ends(gain)}"
    return after if is_used else before, Tried(names, is_used, reason, facts)


def _cut(fixed: HeldOut, without: Without, asked: str, fewest_folds: int) -> Choice:
    """The cuts or thresholds of a decision, the steps before them as they are."""
    problem = fixed.problem
    if asked == "fixed":
        return Choice(fixed.decision, "fixed", "the formulation's fixed decision, as asked for")
    if problem.competition.submission.gives == "scores":
        return Choice(fixed.decision, "fixed", "nothing is decided: scores are asked for")
    if problem.metric.takes == "scores" and asked == "auto":
        return Choice(fixed.decision, "fixed", "the metric reads scores, whatever is decided")
    method: Literal["exact", "shares"] = "shares" if asked == "shares" else "exact"
    try:
        fitted = fit_last(fixed, method)
    except NoExactFitError as error:
        if asked != "auto":
            raise ConfigError(
                f"submission.decision: {asked}: {error}", remedy="use decision: auto or fixed"
            ) from None
        return Choice(fixed.decision, "fixed", str(error))
    if asked != "auto":
        return Choice(fitted, "shares" if asked == "shares" else "fitted", "as asked for")
    return _winner(fixed, without, fitted, fewest_folds)


def _winner(fixed: HeldOut, without: Without, fitted: Decision, fewest_folds: int) -> Choice:
    """The fitted decision if it wins on folds it was not fitted to, else the fixed one."""
    rung = _Rung.of(fixed, without)
    if len(np.unique(fixed.folds)) < fewest_folds:
        return Choice(fixed.decision, "fixed", too_few(fixed))
    try:
        after = rung.after(lambda held: fit_last(held, "exact"))
        gain = gain_over(rung.crossed, after.crossed)
    except NoExactFitError as error:
        return Choice(fixed.decision, "fixed", str(error))
    if gain is None or gain.low is None or gain.high is None:
        return Choice(
            fixed.decision,
            "fixed",
            "a fitted one could not be proved better: no interval can be given",
        )
    if gain.low > 0:
        return Choice(
            fitted,
            "fitted",
            f"fitted cuts or thresholds win cross-fitted: {_ends(gain)}",
            asdict(gain),
        )
    return Choice(
        fixed.decision,
        "fixed",
        f"fitted cuts or thresholds do not win cross-fitted: {_ends(gain)}",
        asdict(gain),
    )


def _has_fit(held: HeldOut) -> bool:
    """Whether cuts or thresholds can be fitted to the metric."""
    try:
        fit_last(held, "exact")
    except NoExactFitError:
        return False
    return True


def too_few(held: HeldOut) -> str:
    """Why nothing can be chosen on these rows."""
    num = len(np.unique(held.folds))
    few = "1 fold is" if num == 1 else f"{num} folds are"
    return f"{few} too few to cross-fit the choice of another"


def _ends(gain: Gain) -> str:
    if gain.low is None or gain.high is None:
        return f"{gain.point:+z.4f}, without an interval"
    return f"{gain.point:+z.4f}, {gain.low:+z.4f} to {gain.high:+z.4f}, {gain.covers}"


def fit_last(held: HeldOut, method: Literal["exact", "shares"]) -> Decision:
    """The rows' decision with its last step fitted to them.

    Raises:
        NoExactFitError: none is known for the step and the metric.
    """
    problem = held.problem
    return fit_decision(
        held.decision,
        held.scores,
        held.target,
        metric=problem.metric_name,
        options=options_of(problem.competition.metric),
        num_classes=problem.num_classes,
        weight=held.weight,
        method=method,
        shares=_shares(held) if method == "shares" else None,
        timeline=held.timeline,
    )


def _shares(held: HeldOut) -> np.ndarray:
    """(C,) share of each class among these rows, as they count under the test mix."""
    classes = np.arange(held.problem.num_classes)
    hot = held.target if held.target.ndim == 2 else held.target[:, None] == classes
    return np.average(hot, axis=0, weights=held.weight)
