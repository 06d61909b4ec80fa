"""Scaled average: members with scales of their own brought to one before their mean."""

from __future__ import annotations

import numpy as np

from foldwise.blending.averages import equal_weights
from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import Kind, bounded, kind_of, row_shares
from foldwise.blending.lines import Line
from foldwise.blending.members import Members
from foldwise.blending.scales import Lines


def scaled_average(members: Members, goal: Goal) -> Blend:
    """The plain mean of members brought to one scale, each by lines of its own.

    One column of whole grades 0 to K - 1, K told by the goal's cuts, else by the target: each
    member is cut where its grades become as frequent as the target's, and its cuts go to
    j - 1/2, its lowest score to 0, its highest to K - 1; linear between, clipped outside. Of
    equal scores the line takes the middle: a member with one score for all rows is (K - 1) / 2
    everywhere.

    Other scores: each column is brought to the members' mean and spread (the means of theirs),
    and the result kept where the members' scores lie; rows of classes sum to 1. A column with
    one score for all rows becomes the members' mean.

    Args:
        members: out-of-fold predictions.
        goal: target and row weights.

    Source: the mapping of cuts is the usual one of graders' ensembles, where approaches are
    averaged after piecewise-linear scaling by their thresholds.
    """
    kind, shares = kind_of(members, goal), row_shares(goal)
    counted = shares > 0
    members, goal, shares = members.take(counted), goal.take(counted), shares[counted]
    if kind == "numbers" and members.scores.shape[2] == 1 and _is_graded(goal.target):
        top = int(goal.target.max())
        if goal.answer is not None and goal.answer.kind == "cuts":
            top = len(goal.answer.values)
        below = np.cumsum(np.bincount(goal.target, weights=shares, minlength=top + 1))[:-1]
        lines = tuple((_by_cuts(s[:, 0], shares, below),) for s in members.scores)
        return Blend("scaled_average", equal_weights(len(members)), Lines(lines))
    return _to_shared_spread(members, kind, shares)


def _is_graded(target: np.ndarray) -> bool:
    return target.dtype.kind in "iu" and bool(target.min() >= 0 and target.max() > 0)


def _by_cuts(scores: np.ndarray, shares: np.ndarray, below: np.ndarray) -> Line:
    """The line from a member's scores to grades, below whose cuts lie such shares of rows."""
    order = np.argsort(scores, kind="stable")
    ordered, reached = scores[order], np.cumsum(shares[order])
    # A cut lies midway between the last score below it and the next one.
    last = np.minimum(np.searchsorted(reached, below - 1e-12), len(ordered) - 1)
    after = np.minimum(last + 1, len(ordered) - 1)
    cuts = np.where(below > 0, (ordered[last] + ordered[after]) / 2, ordered[0])
    knots = np.concatenate([ordered[:1], cuts, ordered[-1:]])
    top = len(below)
    return Line.through(knots, np.array([0.0, *np.arange(top) + 0.5, top]))


def _to_shared_spread(members: Members, kind: Kind, shares: np.ndarray) -> Blend:
    """Every column of every member with the members' mean and spread."""
    means = np.einsum("n,mnc->mc", shares, members.scores)
    spreads = np.sqrt(np.einsum("n,mnc->mc", shares, (members.scores - means[:, None]) ** 2))
    mean, spread = means.mean(axis=0).tolist(), spreads.mean(axis=0).tolist()
    lines = tuple(
        tuple(
            Line((m, m + own), (mean[c], mean[c] + spread[c]), is_open=True)
            if own > 1e-12 * (1.0 + abs(m))
            else Line((m,), (mean[c],))
            for c, (m, own) in enumerate(zip(*row, strict=True))
        )
        for row in zip(means.tolist(), spreads.tolist(), strict=True)
    )
    finish = bounded(members, kind)
    return Blend("scaled_average", equal_weights(len(members)), Lines(lines), finish=finish)
