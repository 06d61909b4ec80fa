"""Test rows whose answer no further unit can change: these need not look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.blending.finish import Finish
from foldwise.blending.map_means import MapMean
from foldwise.blending.mixes import Mean
from foldwise.blending.scales import Plain
from foldwise.home import Home
from foldwise.predictions import Predictions
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.units import unit_dir
from foldwise.tasks.problem import Problem

#: Mixes are computed in an order of their own, so their last digits differ.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Settling:
    """What the units of the last round still can change.

    Attributes:
        shares: `run/unit` → how much of the last round's scores it is.
    """

    shares: Mapping[str, float]

    def rows(self, problem: Problem, units: Sequence[str]) -> Predictions | None:
        """Rows of which the highest score stays the highest, whatever the others say.

        A unit that is still to come adds no more than its share to any class.

        Args:
            problem: whose test rows are answered.
            units: that have scored all rows.

        Returns:
            These rows with the mean of what has been said, of which other units need say nothing:
            the highest score of the whole is then the same. None: there is no such row.
        """
        known = [unit for unit in units if unit in self.shares]
        if not known or len(known) == len(self.shares):
            return None
        found = [_read(problem.home, unit, problem) for unit in known]
        if any(part.scores.min() < 0 or part.scores.max() > 1 for part in found):
            return None
        shares = np.array([self.shares[unit] for unit in known])
        so_far = np.tensordot(shares, [part.scores for part in found], axes=1)
        two_best = np.sort(so_far, axis=1)[:, -2:]
        is_settled = two_best[:, 1] - two_best[:, 0] > 1 - shares.sum() + _ROUNDING
        if not is_settled.any():
            return None
        mean = found[0].with_scores(so_far / shares.sum())
        return mean.take(np.flatnonzero(is_settled))


def settling(problem: Problem, last: Round) -> Settling | None:
    """For a round whose answers are the highest of means of scores; None: it is another.

    Args:
        problem: whose test rows are answered.
        last: the round that is to be handed in in the end.
    """
    submission = problem.competition.submission
    is_highest = [step.name for step in last.decision.steps] == ["argmax"]
    is_one = submission.test_merge == "mean_score" or not last.by_fold
    if submission.gives != "answers" or not is_highest or not is_one:
        return None
    shares = _shares(last.node)
    return None if shares is None else Settling(shares)


def _shares(node: Node) -> dict[str, float] | None:
    """How much of a node's scores each unit is; None: they are no mean by weight."""
    if node.is_reference:
        return None
    if node.blend is None:
        return dict.fromkeys(node.units, 1 / len(node.units))
    blend = node.blend
    if isinstance(blend, MapMean):
        return None  # Every pixel would have to be settled.
    is_mean = isinstance(blend.scale, Plain) and isinstance(blend.mix, Mean)
    if not is_mean or blend.finish != Finish() or min(blend.weights) < 0:
        return None
    found: dict[str, float] = {}
    for weight, member in zip(blend.weights, node.members, strict=True):
        below = _shares(member)
        if below is None:
            return None
        for unit, share in below.items():
            found[unit] = found.get(unit, 0.0) + weight * share
    return found


def _read(home: Home, unit: str, problem: Problem) -> Predictions:
    return predictions_file.read(unit_dir(home, unit).test).align(problem.test.ids, name=unit)
