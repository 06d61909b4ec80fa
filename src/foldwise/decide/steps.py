"""The steps a decision may have: from scores to scores, and from scores to answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foldwise.decide import (
    classes,
    cuts,
    hysteresis,
    mask_steps,
    numbers,
    peaks,
    prior,
    smoothing,
)

#: Scores → scores or answers, (N, ...) arrays; of maps the answers are masks.
StepFunction = Callable[..., Any]

#: Steps that take a `Timeline` beside the scores: a row's result depends on its neighbours in time.
OVER_TIME: dict[str, StepFunction] = {
    **smoothing.SCORE_STEPS,
    **peaks.SCORE_STEPS,
    **hysteresis.ANSWER_STEPS,
}

SCORE_STEPS: dict[str, StepFunction] = {
    **prior.SCORE_STEPS,
    **smoothing.SCORE_STEPS,
    **peaks.SCORE_STEPS,
}

ANSWER_STEPS: dict[str, StepFunction] = {
    **classes.ANSWER_STEPS,
    **cuts.ANSWER_STEPS,
    **numbers.ANSWER_STEPS,
    **hysteresis.ANSWER_STEPS,
    **mask_steps.ANSWER_STEPS,
}

DECISIONS: dict[str, StepFunction] = {**SCORE_STEPS, **ANSWER_STEPS}
