"""Blends by selection: members are added one at a time, with replacement, as they help."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members


def greedy(
    members: Members,
    goal: Goal,
    *,
    num_steps: Annotated[int, Field(ge=1)] = 20,
) -> Blend:
    """Forward selection with replacement: each step adds the member that helps the mean most.

    Starts empty; of equally good members the first is taken, and of all steps' ensembles the
    best, the smallest of equally good ones. A member's weight is how often it was taken.

    Args:
        members: out-of-fold predictions.
        goal: what is maximised.
        num_steps: members taken at most.

    Raises:
        ValueError: the score is undefined on these rows.

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble selection from libraries
    of models", ICML.
    """
    total = np.zeros(members.scores.shape[1:])
    picks: list[int] = []
    scores: list[float] = []
    for size in range(1, num_steps + 1):
        tried = [goal((total + candidate) / size) for candidate in members.scores]
        pick = int(np.argmax(tried))
        total += members.scores[pick]
        picks.append(pick)
        scores.append(tried[pick])
    best = picks[: int(np.argmax(scores)) + 1]
    counts = np.bincount(best, minlength=len(members))
    return Blend("greedy", tuple((counts / len(best)).tolist()))
