"""Decisions: from merged scores to answers, in ordered steps."""

from foldwise.decide.decision import Decision, Step
from foldwise.decide.steps import ANSWER_STEPS, DECISIONS, SCORE_STEPS

__all__ = ["ANSWER_STEPS", "DECISIONS", "SCORE_STEPS", "Decision", "Step"]
