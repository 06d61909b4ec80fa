"""What blended rows are scored by: the competition's metric, and what a search may know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from foldwise.blending.gain import Ends
from foldwise.blending.goal import Answer, Goal
from foldwise.decide.decision import Decision, Step
from foldwise.metrics import METRICS
from foldwise.metrics.bootstrap import paired_intervals
from foldwise.parts import name_of, options_of
from foldwise.stages.scoring import intervals
from foldwise.stages.scoring.held_out import HeldOut


@dataclass(frozen=True)
class Scorer:
    """Scores blended rows by the competition's metric, higher always being better.

    Attributes:
        held: any member; its rows, targets, weights and groups are those of the blend.
        decision: from blended scores to answers.
    """

    held: HeldOut
    decision: Decision

    def __call__(self, scores: np.ndarray, rows: np.ndarray | None) -> float:
        """The score of (n, C) scores of the rows at these positions, which may repeat.

        Raises:
            ValueError: it is undefined on them.
        """
        metric = self.held.problem.metric
        value = self._with(scores, rows).score(metric)
        return value if metric.higher_is_better else -value

    def paired(
        self, scores: np.ndarray, references: Sequence[np.ndarray], rows: np.ndarray | None
    ) -> list[Ends | None]:
        """Intervals of how much better the first is than each of the others."""
        metric = self.held.problem.metric
        held = self._with(scores, rows)
        found = paired_intervals(
            metric,
            [self._with(reference, rows).preds(metric) for reference in references],
            held.preds(metric),
            held.target,
            higher_is_better=metric.higher_is_better,
            weight=held.weight,
            groups=held.groups,
            num=intervals.RESAMPLES,
        )
        ends = [gain.interval for gain in found]
        return [None if end is None else Ends(end.low, end.high, end.covers) for end in ends]

    def goal(self) -> Goal:
        """What a blend of all rows is fitted to reach, with what is known of the metric."""
        *before, last = self.decision.steps
        answer, factors = _answer(last), _factors(before)
        spec, takes = self.held.problem.competition.metric, self.held.problem.metric.takes
        is_known = (
            name_of(spec) in METRICS
            and not options_of(spec)
            and (factors is not None or not before)
            and (answer is not None or takes == "scores")
        )
        return Goal(
            self.held.target,
            self,
            metric=name_of(spec) if is_known else "",
            weight=self.held.weight,
            answer=answer,
            factors=factors,
        )

    def _with(self, scores: np.ndarray, rows: np.ndarray | None) -> HeldOut:
        at = slice(None) if rows is None else rows
        # No step over time among a blend's own: rows may repeat, and are decided by themselves.
        held = replace(self.held, timeline=None, context=None)
        return replace(held, scores=scores, decision=self.decision, rows=self.held.rows[at])


def _answer(step: Step) -> Answer | None:
    """How the last step of a decision gives answers, as far as a search knows it."""
    values = step.options.get("values", ())
    numbers = tuple(np.atleast_1d(np.asarray(values, dtype=np.float64)).tolist())
    if step.name == "thresholds":
        return Answer("thresholds", numbers or (0.5,))
    if step.name == "cuts":
        return Answer("cuts", numbers)
    if step.name == "argmax":
        return Answer("argmax")
    return Answer("value") if step.name == "value" and not step.options else None


def _factors(steps: Sequence[Step]) -> np.ndarray | None:
    """What columns are multiplied with by the only score step; None: no step, or another kind."""
    if len(steps) != 1:
        return None
    only = steps[0]
    if only.name != "prior_shift" or not only.options.get("exclusive", True):
        return None
    factors: np.ndarray = np.divide(only.options["test"], only.options["train"])
    return factors
