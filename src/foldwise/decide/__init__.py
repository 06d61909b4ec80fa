"""Decisions: from merged scores to answers, in ordered steps, fixed or fitted."""

from foldwise.decide.decision import Decision, Step
from foldwise.decide.fitting import NoExactFitError, fit_decision
from foldwise.decide.steps import ANSWER_STEPS, DECISIONS, OVER_TIME, SCORE_STEPS
from foldwise.decide.timeline import Timeline

__all__ = [
    "ANSWER_STEPS",
    "DECISIONS",
    "OVER_TIME",
    "SCORE_STEPS",
    "Decision",
    "NoExactFitError",
    "Step",
    "Timeline",
    "fit_decision",
]
