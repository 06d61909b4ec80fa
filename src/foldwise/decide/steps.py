"""The steps a decision may have: from scores to scores, and from scores to answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from foldwise.decide import classes, cuts, hysteresis, numbers, peaks, prior, smoothing

StepFunction = Callable[..., np.ndarray]

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
}

DECISIONS: dict[str, StepFunction] = {**SCORE_STEPS, **ANSWER_STEPS}
