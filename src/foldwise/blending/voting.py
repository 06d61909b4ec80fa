"""Blends by a vote: the answer of most members, or of most families of members."""

from __future__ import annotations

import numpy as np

from foldwise.blending.averages import equal_weights
from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import kind_of
from foldwise.blending.majority import Ballot
from foldwise.blending.members import Members
from foldwise.blending.mixes import Majority
from foldwise.blending.scales import Votes
from foldwise.errors import ConfigError, DataError


def voting(members: Members, goal: Goal) -> Blend:
    """The answer that most members give; each decides by its own decision.

    Of tied classes the one with the highest mean score wins, then the first; of tied grades the
    one nearest to the mean score, then the lowest; a tied label is on where the mean score
    reaches its threshold. The result is an answer, 1 and 0 or a grade: for a metric that reads
    scores `label_average` gives the shares of votes. A member with one answer for all rows
    votes like any other.

    Args:
        members: with votes.
        goal: tells what the columns are, and labels' thresholds (1/2 if it does not).

    Raises:
        ConfigError: answers are measured numbers, which have no majority.
        DataError: no votes.
    """
    everyone = tuple(range(len(members)))
    mix = Majority((everyone,), _ballot("voting", members, goal))
    return Blend("voting", equal_weights(len(members)), Votes(), mix)


def group_voting(members: Members, goal: Goal) -> Blend:
    """The answer of most families of members, each family's being that of most in it.

    Many members of one kind, such as one formulation, thus have one vote between them. Ties are
    settled as in `voting`, by the mean score of the family, or by the mean of the families' mean
    scores. Where no families are known, every member is one.

    Args:
        members: with votes and families.
        goal: as for `voting`.

    Raises:
        ConfigError: answers are measured numbers, which have no majority.
        DataError: no votes.
    """
    names = members.families or tuple(map(str, range(len(members))))
    families = {name: [m for m, own in enumerate(names) if own == name] for name in names}
    mix = Majority(tuple(map(tuple, families.values())), _ballot("group_voting", members, goal))
    weights = tuple(1.0 / (len(families) * len(families[name])) for name in names)
    return Blend("group_voting", weights, Votes(), mix)


def _ballot(method: str, members: Members, goal: Goal) -> Ballot:
    if members.votes is None:
        raise DataError(f"{method} needs the members' decided answers")
    kind = kind_of(members, goal)
    if kind == "numbers":
        broken = members.votes != np.round(members.votes)
        if broken.any():
            raise ConfigError(
                f"blend method {method} needs answers that are classes, labels or whole grades, "
                f"found {members.votes[broken][0]:g}",
                remedy="use mean, or label_average",
            )
        return Ballot("grades")
    if kind == "classes":
        return Ballot("classes")
    given = goal.answer.values if goal.answer and goal.answer.kind == "thresholds" else (0.5,)
    num_columns = members.scores.shape[2]
    return Ballot("labels", given * num_columns if len(given) == 1 else given)
