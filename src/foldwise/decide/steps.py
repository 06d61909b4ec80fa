"""The steps a decision may have: from scores to scores, and from scores to answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from foldwise.decide import classes, cuts, numbers, prior

StepFunction = Callable[..., np.ndarray]

SCORE_STEPS: dict[str, StepFunction] = {**prior.SCORE_STEPS}

ANSWER_STEPS: dict[str, StepFunction] = {
    **classes.ANSWER_STEPS,
    **cuts.ANSWER_STEPS,
    **numbers.ANSWER_STEPS,
}

DECISIONS: dict[str, StepFunction] = {**SCORE_STEPS, **ANSWER_STEPS}
