"""Blends with weights of their own for every column."""

from __future__ import annotations

from typing import Literal

import numpy as np

from foldwise.blending.blend import Blend
from foldwise.blending.convex import best_weights, corrected
from foldwise.blending.finish import Finish
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import Kind, kind_of, require_columns, require_probabilities
from foldwise.blending.members import Members, votes
from foldwise.blending.mixes import ColumnMean
from foldwise.blending.selection import greedy


def per_class(
    members: Members,
    goal: Goal,
    *,
    search: Literal["convex", "greedy"] = "convex",
) -> Blend:
    """Weights for each column apart, as `convex` or `greedy` finds them.

    Rows of classes are divided by their sums afterwards. M times C weights follow the noise of
    rare classes more than M do: look at the cross-fitted gain.

    Args:
        members: out-of-fold predictions of several columns.
        goal: target, row weights, and with `greedy` the score: what the whole score becomes
            when one column is blended and the others are plain means.
        search: `convex` takes the log loss of each class against the rest, or the squared error
            of numbers.

    Raises:
        ConfigError: one column, or no probabilities where log loss needs them.
    """
    require_columns("per_class", members)
    kind = kind_of(members, goal)
    if kind != "numbers":
        require_probabilities("per_class", members, goal)
    find = _convex if search == "convex" else _greedy
    columns = np.stack(
        [find(members, goal, kind, column) for column in range(members.scores.shape[2])], axis=1
    )
    return Blend(
        "per_class",
        tuple(columns.mean(axis=1).tolist()),
        mix=ColumnMean(tuple(map(tuple, columns.tolist()))),
        finish=Finish(sums_to_1=kind == "classes"),
    )


def _convex(members: Members, goal: Goal, kind: Kind, column: int) -> np.ndarray:
    """(M,) weights of one column with the least loss."""
    scores = corrected(members.scores, goal)[:, :, column : column + 1]
    truth = votes(goal.target, members.scores.shape[2])[:, column : column + 1]
    is_label = kind != "numbers"
    own = Goal(truth.astype(np.int64) if is_label else truth, goal.score, weight=goal.weight)
    if is_label:
        return best_weights(Members(scores), own, "labels", "log_loss").weights
    return best_weights(Members(scores), own, "numbers", "squared_error").weights


def _greedy(members: Members, goal: Goal, kind: Kind, column: int) -> np.ndarray:
    """(M,) weights of one column that make the most of the score, the others as plain means."""
    blended = members.scores.mean(axis=0)

    def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
        blended[:, column] = scores[:, 0]
        return goal(blended)

    return np.array(greedy(members.column(column), Goal(goal.target, score)).weights)
