"""How far a step over time may reach: the candidates, and the one that scores best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from foldwise.decide.decision import Decision, Step
from foldwise.decide.timeline import Timeline

#: Candidates in typical steps of the order; 0 is the row alone.
_STEPS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def reaches(timeline: Timeline) -> list[float]:
    """Candidates for a reach: multiples of the median step, up to half of the longest sequence.

    Returns:
        Rising, from 0 on; 0 alone where every row is.

    >>> reaches(Timeline(np.zeros(5, int), np.array([0.0, 30.0, 60.0, 90.0, 150.0])))
    [0.0, 30.0, 60.0]
    """
    steps = timeline.steps
    if not len(steps):
        return [0.0]
    order = timeline.order[timeline.in_time]
    longest = max(order[rows][-1] - order[rows][0] for rows in timeline.each())
    typical = float(np.median(steps))
    return [times * typical for times in _STEPS if times * typical <= longest / 2]


def fit_reach(
    decision: Decision, step: Step, timeline: Timeline, score_of: Callable[[Decision], float]
) -> Decision:
    """The decision with a step over time before its answer, whose reach scores best.

    Args:
        decision: what the scores go through so far.
        step: without its reach.
        timeline: of the rows that `score_of` scores.
        score_of: decision → its score, higher being better; -inf where it is undefined.

    Returns:
        The decision with the step `fitted`; of equally good reaches the shortest.
    """
    candidates = [
        with_step(decision, Step(step.name, {**step.options, "reach": reach}, fitted=True))
        for reach in reaches(timeline)
    ]
    return candidates[int(np.argmax([score_of(candidate) for candidate in candidates]))]


def with_step(decision: Decision, step: Step) -> Decision:
    """The decision with one more step, just before its answer."""
    return Decision((*decision.steps[:-1], step, decision.steps[-1]))
