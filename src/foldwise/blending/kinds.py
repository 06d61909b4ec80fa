"""What the columns of members' scores are, as far as a blend must know, and what is refused."""

from __future__ import annotations

from typing import Literal

import numpy as np

from foldwise.blending.finish import Finish
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.errors import ConfigError

#: `classes`: one of several is true. `labels`: each column is true or not. `numbers`: grades or
#: measured numbers.
Kind = Literal["classes", "labels", "numbers"]

#: A mean of probabilities may end so far outside [0, 1].
_ROUNDING = 1e-9
_WORDS = {
    "classes": "one class per row",
    "labels": "a label per column",
    "numbers": "grades or numbers",
}


def kind_of(members: Members, goal: Goal) -> Kind:
    """What the columns are, told by the target."""
    if goal.target.ndim == 2:
        return "labels" if goal.target.dtype.kind in "iub" else "numbers"
    if members.scores.shape[2] > 1:
        return "classes"
    return "labels" if goal.metric == "log_loss" else "numbers"


def are_probabilities(members: Members) -> bool:
    """Whether all scores lie in [0, 1]."""
    scores = members.scores
    return bool(scores.min() >= -_ROUNDING and scores.max() <= 1 + _ROUNDING)


def require_probabilities(method: str, members: Members, goal: Goal) -> Kind:
    """The kind, if scores are probabilities of classes or labels.

    Raises:
        ConfigError: they are not.
    """
    kind = kind_of(members, goal)
    if kind == "numbers":
        raise ConfigError(
            f"blend method {method} needs probabilities of classes or labels, found {_WORDS[kind]}",
            remedy="use mean, scaled_average, convex or ridge",
        )
    if not are_probabilities(members):
        raise ConfigError(
            f"blend method {method} needs probabilities, found scores from "
            f"{members.scores.min():g} to {members.scores.max():g}",
            remedy="use rank_mean, which takes any scores, or give probabilities",
        )
    return kind


def require_columns(method: str, members: Members) -> None:
    """Check that there are columns to weigh apart.

    Raises:
        ConfigError: there is only one.
    """
    if members.scores.shape[2] == 1:
        raise ConfigError(
            f"blend method {method} needs several columns, found 1",
            remedy="use convex or greedy, which weigh the only column",
        )


def bounded(members: Members, kind: Kind) -> Finish:
    """What keeps blended scores on the scale on which the members' scores live.

    That is [0, 1] for probabilities, whose rows sum to 1 where they are of classes; other scores
    stay between their lowest and their highest.
    """
    if are_probabilities(members) and kind != "numbers":
        return Finish(0.0, 1.0, sums_to_1=kind == "classes")
    return Finish(float(members.scores.min()), float(members.scores.max()))


def row_shares(goal: Goal) -> np.ndarray:
    """(N,) each row's share of all row weights."""
    weights = np.ones(len(goal)) if goal.weight is None else goal.weight
    shares: np.ndarray = weights / weights.sum()
    return shares
