"""Blends by selection: greedily with replacement, or by climbing from the best member."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from foldwise.blending.averages import weighted
from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import bounded, kind_of
from foldwise.blending.members import Members
from foldwise.blending.search import Pace, climbed, taken_in_turn


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
    picks, num_kept = taken_in_turn(members.scores, goal, num_steps=num_steps)
    counts = np.bincount(picks[:num_kept], minlength=len(members))
    blend = weighted("greedy", (counts / num_kept).tolist(), members, goal)
    return replace(blend, steered=tuple(sorted(set(picks[num_kept:]))))


def hill_climbing(
    members: Members,
    goal: Goal,
    *,
    negative_weights: bool = False,
    first_step: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    last_step: Annotated[float, Field(gt=0, lt=1)] = 0.01,
    num_steps: Annotated[int, Field(ge=1)] = 200,
) -> Blend:
    """Climb from the best member, moving weight to or from the member where it helps most.

    Each move gives one member a share of the blend, all others' weights shrinking in proportion,
    or takes such a share back; so weights always sum to 1. When no move helps, the share is
    halved. Of equally good moves the first is made, and none without a gain.

    Args:
        members: out-of-fold predictions.
        goal: what is maximised.
        negative_weights: weights may fall below 0; scores that leave their scale are then moved
            back to its ends, in the search as in the blend.
        first_step: the share that is tried first.
        last_step: the least share that is tried.
        num_steps: moves and halvings at most.

    Raises:
        ValueError: the score is undefined on these rows.
    """
    bounds = bounded(members, kind_of(members, goal)) if negative_weights else None
    pace = Pace(first_step, last_step, num_steps)
    weights = climbed(members.scores, goal, pace=pace, bounds=bounds)
    return weighted("hill_climbing", weights.tolist(), members, goal)
