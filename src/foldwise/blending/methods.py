"""Ways to blend, by name: each is fitted to members' out-of-fold predictions and gives a Blend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from foldwise.blending.averages import geometric_mean, label_average, mean, rank_mean
from foldwise.blending.blend import Blend
from foldwise.blending.convex import convex
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.blending.per_class import per_class
from foldwise.blending.scaled import scaled_average
from foldwise.blending.selection import greedy, hill_climbing
from foldwise.blending.stacking import logistic, ridge
from foldwise.blending.voting import group_voting, voting
from foldwise.parts import Spec, name_of, options_of

#: `fit(members, goal, *, options)`: members' out-of-fold predictions, and what is to be reached on
#: the same rows.
Fit = Callable[[Members, Goal], Blend]


@dataclass(frozen=True)
class Method:
    """A way to blend, and what must be known of it before it is fitted.

    Attributes:
        fit: a function of members and goal; keyword-only parameters are its options.
        takes: what is mixed: members' scores, or their votes.
        is_fixed: whether a blend with such options is the same whatever the target is.
    """

    fit: Callable[..., Blend]
    takes: Literal["scores", "votes"] = "scores"
    is_fixed: Callable[[Mapping[str, Any]], bool] = lambda options: False


def takes_votes(spec: Spec) -> bool:
    """Whether a method mixes votes; one of the user's own mixes scores.

    >>> takes_votes("voting"), takes_votes({"name": "greedy", "num_steps": 5})
    (True, False)
    """
    return name_of(spec) in METHODS and METHODS[name_of(spec)].takes == "votes"


def is_fixed(spec: Spec) -> bool:
    """Whether nothing of a method is fitted to the target.

    >>> is_fixed("mean"), is_fixed({"name": "mean", "comparable": False})
    (False, True)
    """
    name = name_of(spec)
    return name in METHODS and METHODS[name].is_fixed(options_of(spec))


def _always(options: Mapping[str, Any]) -> bool:
    return True


def _of_all(options: Mapping[str, Any]) -> bool:
    return options.get("comparable") is False


METHODS: dict[str, Method] = {
    "mean": Method(mean, is_fixed=_of_all),
    "rank_mean": Method(rank_mean, is_fixed=_always),
    "geometric_mean": Method(geometric_mean, is_fixed=_always),
    "scaled_average": Method(scaled_average),
    "label_average": Method(label_average, takes="votes", is_fixed=_always),
    "voting": Method(voting, takes="votes", is_fixed=_always),
    "group_voting": Method(group_voting, takes="votes", is_fixed=_always),
    "greedy": Method(greedy),
    "hill_climbing": Method(hill_climbing),
    "convex": Method(convex),
    "per_class": Method(per_class),
    "ridge": Method(ridge),
    "logistic": Method(logistic),
}
BLENDS: dict[str, Callable[..., Blend]] = {name: method.fit for name, method in METHODS.items()}
