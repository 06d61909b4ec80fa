"""Blends by a plain mean: of scores, of ranks, of logarithms, of decided answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldwise.blending.blend import Blend
from foldwise.blending.finish import Finish
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import bounded, kind_of, require_probabilities, row_shares
from foldwise.blending.members import Members, votes
from foldwise.blending.ranks import Distribution
from foldwise.blending.scales import Logs, Ranks, Votes

#: How far a comparable member may fall short of a perfect score, in times of what the best does.
_TIMES_WORSE = 2.0
#: What a probability of 0 counts as in a geometric mean: where log loss clips.
_FLOOR = 1e-15


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
    if goal.weight is not None and not goal.weight.all():
        # A class that test is said to lack: a perfect score of its rows need not be defined.
        counting = np.flatnonzero(goal.weight)
        members, goal = members.take(counting), goal.take(counting)
    perfect = goal(votes(goal.target, members.scores.shape[2]))
    short = perfect - np.array([goal(scores) for scores in members.scores])
    best, shares = members.scores[int(np.argmin(short))], row_shares(goal)
    constant = np.broadcast_to(shares @ best, best.shape)
    num_rows = 1.0 / np.square(shares).sum()  # As many as say as much, all weighing alike.
    slack = max(perfect - goal(constant), 0.0) / np.sqrt(num_rows)
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
    A member with one score for all rows has rank 1/2 everywhere.

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
    return Blend("rank_mean", equal_weights(len(members)), Ranks(distributions, onto))


def label_average(members: Members, goal: Goal, *, rounded: bool = False) -> Blend:
    """The mean of decided answers: share of votes for classes, mean grade for grades.

    Args:
        members: with votes.
        goal: not used.
        rounded: round the mean to whole numbers, halves up; for grades.
    """
    weights, finish = equal_weights(len(members)), Finish(is_rounded=rounded)
    return Blend("label_average", weights, Votes(), finish=finish)


def geometric_mean(members: Members, goal: Goal) -> Blend:
    """The geometric mean of probabilities: what is unlikely to one member is unlikely to all.

    Classes' rows are divided by their sums; for a label it is p / (p + q), p and q being the
    geometric means of its probability and of the opposite. A probability of 0 counts as 1e-15
    and pulls as hard as 34 nats among M members can; it does not veto.

    Args:
        members: probabilities.
        goal: tells classes from labels; else not used.

    Raises:
        ConfigError: scores are no probabilities.

    Source: logarithmic opinion pool, Genest and Zidek (1986), "Combining probability
    distributions", Statistical Science 1(1).
    """
    kind = require_probabilities("geometric_mean", members, goal)
    scale = Logs("softmax" if kind == "classes" else "sigmoid", _FLOOR)
    return Blend("geometric_mean", equal_weights(len(members)), scale)


def weighted(method: str, weights: Sequence[float], members: Members, goal: Goal) -> Blend:
    """The blend that a search for weights has found.

    With weights below 0 scores can leave their scale: probabilities are moved back into [0, 1],
    rows of classes divided by their sums; other scores are moved between the lowest and the
    highest that any of the members gave on these rows.

    Args:
        method: key of `BLENDS`.
        weights: M that sum to 1.
        members: what they were found on.
        goal: tells what the columns are.
    """
    finish = bounded(members, kind_of(members, goal)) if min(weights) < 0 else Finish()
    return Blend(method, tuple(float(weight) for weight in weights), finish=finish)


def equal_weights(num_members: int) -> tuple[float, ...]:
    """M equal weights that sum to 1."""
    return (1.0 / num_members,) * num_members
