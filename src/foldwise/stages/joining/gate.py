"""A gate: another run's word on which classes are in an image, beside the maps of a blend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from foldwise.errors import ConfigError, RunError
from foldwise.stages.joining.member import Member, read_run
from foldwise.tasks.presence import PRESENCE
from foldwise.tasks.problem import Problem


def ungated(problem: Problem) -> str:
    """Why no gate would do anything there; empty where one may."""
    masks = problem.competition.masks
    if problem.task.kind != "map" or masks is None:
        return "the members give no masks"
    return "every pixel has a class" if masks.exclusive else ""


@dataclass(frozen=True)
class Gate:
    """What a run of target presence says of every image.

    Attributes:
        member: the run; its scores are probabilities.
    """

    member: Member

    @property
    def facts(self) -> dict[str, Any]:
        """For the blend's record."""
        return self.member.facts

    @property
    def test(self) -> np.ndarray:
        """(M, C) of the test rows, in the problem's order."""
        found: np.ndarray = self.member.test
        return found

    def of(self, rows: np.ndarray) -> np.ndarray:
        """(n, C) of train rows, each by what has not seen it.

        Args:
            rows: (n,) int64 positions in the problem's train rows.

        Raises:
            RunError: it has no out-of-fold scores of some of these rows.
        """
        held, name = self.member.held, self.member.name
        places = pd.Index(held.rows).get_indexer(rows)
        if (places < 0).any():
            missing = held.problem.train.ids[rows[places < 0]]
            raise RunError(
                f"{name}: has no out-of-fold scores of {len(missing)} of {len(rows)} rows that the "
                f"maps are of, such as {missing[0]}",
                remedy=f"train the same folds of it: `foldwise train {name}`",
            )
        found: np.ndarray = held.scores[places]
        return found


def read_gate(problem: Problem, name: str, *, blend: str) -> Gate:
    """A run as gate.

    Args:
        problem: whose masks are gated.
        name: of the run.
        blend: name of what it is to be the gate of.

    Raises:
        ConfigError: there is nothing to gate.
        RunError: there is no such run, or it says something else; its weights were fitted to all
            folds; its scores are no probabilities.
        DataError: its score files are absent or damaged.
    """
    if why := ungated(problem):
        raise ConfigError(f"gate {name}: {why}, so nothing is gated", remedy="leave the gate out")
    member = read_run(problem, name)
    if blend in [member.name, *member.facts["made_of"]]:
        raise RunError(
            f"{name}: the blend {blend!r} cannot be its own gate",
            remedy="give the blend another name",
        )
    if member.held.problem.is_handed_in:
        raise RunError(
            f"{name}: says where classes are; a gate says which of them are in an image",
            remedy=f"train a recipe with target: {PRESENCE}, and take that as gate",
        )
    if member.without:
        raise RunError(
            f"{name}: its weights were fitted, and a decision without a fold needs gates that the "
            "fold had no part in",
            remedy="blend it with {name: mean, comparable: false}, or take one of its members",
        )
    for what, scores in (("out-of-fold", member.held.scores), ("test", member.test)):
        if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
            raise RunError(
                f"{name}: its {what} scores are between {scores.min():.4g} and {scores.max():.4g}, "
                "and those of a gate are probabilities",
                remedy="take another formulation or head",
            )
    return Gate(member)
