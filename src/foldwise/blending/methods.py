"""Ways to blend, by name: each is fitted to members' out-of-fold predictions and gives a Blend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members, votes
from foldwise.blending.ranks import Distribution
from foldwise.blending.selection import greedy

#: How far a comparable member may fall short of a perfect score, in times of what the best does.
_TIMES_WORSE = 2.0
#: `fit(members, goal, *, options)`: members' out-of-fold predictions, and what is to be reached on
#: the same rows.
Fit = Callable[[Members, Goal], Blend]


def mean(members: Members, goal: Goal, *, comparable: bool = True) -> Blend:
    """The plain mean of scores, of members of comparable strength or of all.

    Args:
        members: out-of-fold predictions.
        goal: tells who is comparable; else not used.
        comparable: leave out members that fall twice as far short of a perfect score as the best
            one does. Where rows are few that is more than chance: on top come 1/sqrt(N) of what
            the same answer for every row falls short by.
    """
    kept = comparable_members(members, goal) if comparable else np.arange(len(members))
    weights = np.zeros(len(members))
    weights[kept] = 1.0 / len(kept)
    return Blend("mean", tuple(weights.tolist()))


def comparable_members(members: Members, goal: Goal) -> np.ndarray:
    """Members whose share in a plain mean does more good than harm, by position.

    For the mean of two members with errors of size 1 and r and correlation c to beat the first,
    r + 2 c sqrt(r) must be below 3: r < 2.1 at c = 0.3, 1.7 at 0.5, 1.4 at 0.7. With three
    members there is more room. The limit does not depend on the other members, so a weak one
    does not decide about a strong one.
    """
    perfect = goal(votes(goal.target, members.scores.shape[2]))
    short = perfect - np.array([goal(scores) for scores in members.scores])
    best = members.scores[int(np.argmin(short))]
    constant = np.broadcast_to(best.mean(axis=0), best.shape)
    slack = max(perfect - goal(constant), 0.0) / np.sqrt(len(best))
    return np.flatnonzero(short <= _TIMES_WORSE * short.min() + slack)


def rank_mean(
    members: Members,
    goal: Goal,
    *,
    onto: Literal["scores", "ranks"] = "scores",
    max_knots: Annotated[int, Field(ge=2)] = 2000,
) -> Blend:
    """The mean of ranks, each taken in that member's own out-of-fold distribution.

    A row's rank depends on no other row to be predicted, so a single test row can be blended.
    Columns are ranked apart: classes become equally frequent unless ranks go back to scores.

    Args:
        members: out-of-fold predictions.
        goal: not used.
        onto: where mean ranks end. `scores`: back through the mean of the members'
            distributions, so that cuts and thresholds hold; the order in a column is the same.
            `ranks`: left in [0, 1].
        max_knots: distinct values kept of each distribution, about.

    Source: back through the mean distribution: Bolstad et al. (2003), "A comparison of
    normalization methods for high density oligonucleotide array data", Bioinformatics 19(2).
    """
    distributions = tuple(
        tuple(Distribution.of(column, max_knots=max_knots) for column in scores.T)
        for scores in members.scores
    )
    return Blend("rank_mean", _equal(len(members)), distributions=distributions, onto=onto)


def label_average(members: Members, goal: Goal, *, rounded: bool = False) -> Blend:
    """The mean of decided answers: share of votes for classes, mean grade for grades.

    Args:
        members: with votes.
        goal: not used.
        rounded: round the mean to whole numbers, halves up; for grades.
    """
    return Blend("label_average", _equal(len(members)), takes="votes", rounded=rounded)


def _equal(num_members: int) -> tuple[float, ...]:
    return (1.0 / num_members,) * num_members


BLENDS: dict[str, Callable[..., Blend]] = {
    "mean": mean,
    "rank_mean": rank_mean,
    "label_average": label_average,
    "greedy": greedy,
}
