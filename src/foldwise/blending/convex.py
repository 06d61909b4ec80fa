"""Blends by the best weights there are for a convex loss, with the distance to the optimum."""

from __future__ import annotations

from typing import Literal

import numpy as np

from foldwise.blending.blend import Blend
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import Kind, kind_of, require_probabilities, row_shares
from foldwise.blending.members import Members, votes
from foldwise.blending.simplex import Optimum, least_log_loss, least_squares
from foldwise.errors import DataError

Loss = Literal["log_loss", "squared_error"]

#: Where log loss clips: a probability of 0 for what is true costs so much and no more.
_FLOOR = 1e-15
_BLOCK = 2048
#: Metrics that a loss serves without standing in for them.
_SERVED: dict[Loss, str] = {"log_loss": "log_loss", "squared_error": "rmse"}
_UNITS: dict[Loss, str] = {"log_loss": " nats", "squared_error": ""}


def convex(
    members: Members, goal: Goal, *, loss: Literal["auto", "log_loss", "squared_error"] = "auto"
) -> Blend:
    """Weights of 0 or more that sum to 1 and have the least convex loss of all such weights.

    The duality gap, by which the loss can be above the least one at most, is in the notes.
    Of members that are equal the split is arbitrary; a member with one score for all rows is
    weighed like any other.

    Where rows of classes do not sum to 1, or are corrected for other class shares (the goal's
    factors), members are brought to sums of 1 each by itself: the loss is convex then.

    Args:
        members: out-of-fold predictions.
        goal: target and row weights. Its metric is not read but to say in the notes that the
            loss stands in for it.
        loss: `log_loss` of classes or labels, its mean over labels; `squared_error` of numbers,
            or of probabilities (Brier score). `auto`: log loss of probabilities, else squared
            error.

    Raises:
        ConfigError: log loss is asked for, and scores are no probabilities.
        DataError: a row of a member's probabilities sums to 0.

    Source: the gap: Jaggi (2013), "Revisiting Frank-Wolfe", ICML.
    """
    kind = kind_of(members, goal)
    if loss == "auto":
        loss = "squared_error" if kind == "numbers" else "log_loss"
    optimum = best_weights(members, goal, kind, loss)
    return Blend("convex", tuple(optimum.weights.tolist()), notes=_notes(optimum, loss, goal))


def best_weights(members: Members, goal: Goal, kind: Kind, loss: Loss) -> Optimum:
    """The best weights for a loss.

    Raises:
        ConfigError, DataError: as `convex`.
    """
    shares = row_shares(goal)
    if loss == "log_loss":
        require_probabilities("convex", members, goal)
        probs = _true_probs(members.scores, goal, kind)
        per_row = probs.shape[1] // len(goal)
        return least_log_loss(probs, np.repeat(shares / per_row, per_row))
    truth = votes(goal.target, members.scores.shape[2])
    return least_squares(_error_products(corrected(members.scores, goal), truth, shares))


def corrected(scores: np.ndarray, goal: Goal) -> np.ndarray:
    """(M, N, C) scores; where the goal has factors, times them and divided by the row's sum.

    Raises:
        DataError: a row sums to 0.
    """
    if goal.factors is None:
        return scores
    changed = scores * goal.factors
    return np.asarray(changed / _sums(changed)[:, :, None])


def _true_probs(scores: np.ndarray, goal: Goal, kind: Kind) -> np.ndarray:
    """(M, N) probabilities of the true class, or (M, N * C) of each label being as it is."""
    if kind == "labels":
        truth = votes(goal.target, scores.shape[2]) > 0
        probs = np.where(truth, scores, 1.0 - scores).reshape(len(scores), -1)
    else:
        factors = np.ones(scores.shape[2]) if goal.factors is None else goal.factors
        probs = scores[:, np.arange(len(goal)), goal.target] * factors[goal.target]
        probs /= _sums(scores, factors)
    found: np.ndarray = np.maximum(probs, _FLOOR)
    return found


def _sums(scores: np.ndarray, factors: np.ndarray | None = None) -> np.ndarray:
    """(M, N) sums of rows, of the columns times their factors."""
    sums: np.ndarray = scores @ (np.ones(scores.shape[2]) if factors is None else factors)
    if not sums.all():
        member, row = np.argwhere(sums == 0)[0]
        raise DataError(
            f"member {member + 1} gives probabilities that sum to 0 in row {row + 1}",
            remedy="give every row of a member's file at least one probability above 0",
        )
    return sums


def _error_products(scores: np.ndarray, truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(M, M) mean products of errors, over columns too; in blocks of rows."""
    products = np.zeros((len(scores), len(scores)))
    for start in range(0, len(truth), _BLOCK):
        rows = slice(start, start + _BLOCK)
        errors = (scores[:, rows] - truth[rows]) * np.sqrt(shares[rows])[:, None]
        flat = errors.reshape(len(scores), -1)
        products += flat @ flat.T
    products /= truth.shape[1]
    return products


def _notes(optimum: Optimum, loss: Loss, goal: Goal) -> tuple[str, ...]:
    words = loss.replace("_", " ")
    notes = [
        f"{words} {optimum.loss:.6g}, duality gap {optimum.gap:.1e}{_UNITS[loss]}"
        + ("" if optimum.is_within else ", which is not the optimum's")
    ]
    if goal.metric != _SERVED[loss]:
        stands_for = goal.metric.replace("_", " ") or "the metric"
        notes.append(f"{words} stands in for {stands_for}")
    return tuple(notes)
