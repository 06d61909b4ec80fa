"""Blends by a second-level linear model on the members' scores: ridge and logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foldwise.blending.averages import equal_weights
from foldwise.blending.blend import Blend
from foldwise.blending.finish import Finish
from foldwise.blending.goal import Goal
from foldwise.blending.kinds import Kind, kind_of, require_probabilities, row_shares
from foldwise.blending.linear_fits import LinearFit, fit_logistic, fit_ridge
from foldwise.blending.members import Members, votes
from foldwise.blending.mixes import Linear
from foldwise.blending.scales import Logs

#: Surer than this is as sure: one certain mistake must not bend all coefficients.
_FLOOR = 1e-6
_FINISHES: dict[Kind, Finish] = {
    "classes": Finish(low=0.0, sums_to_1=True),
    "labels": Finish(low=0.0, high=1.0),
    "numbers": Finish(),
}


def ridge(members: Members, goal: Goal) -> Blend:
    """Ridge regression of the target on the members' scores.

    Numbers and labels are predicted from the members' scores of the same column, classes from
    all columns of all members. Scores are standardised inside; the penalty is the best of nine
    by leave-one-out on these rows. Labels are kept in [0, 1], classes at 0 or more with rows
    that sum to 1. A member with one score for all rows gets coefficient 0. Weights are the
    members' shares of the sizes of standardised coefficients.

    Args:
        members: out-of-fold predictions.
        goal: target and row weights.

    Source: Breiman (1996), "Stacked regressions", Machine Learning 24(1).
    """
    kind, num_columns = kind_of(members, goal), members.scores.shape[2]
    truth, shares = votes(goal.target, num_columns), row_shares(goal)
    blocks = _blocks(kind, num_columns)
    fits = [fit_ridge(_flat(members.scores, b), truth[:, b], shares) for b in blocks]
    coefficients, intercept = _joined(fits, blocks, len(members), num_columns)
    if kind == "classes" and goal.factors is not None:
        # Fitted to rows weighted for the new shares: what the factors will do is taken back.
        undone = _undone(goal.factors)
        coefficients, intercept = coefficients * undone, intercept * undone
    mix = _linear(coefficients, intercept)
    weights = _weights(fits, len(members))
    notes = (_note(fits, "leave-one-out"),)
    return Blend("ridge", weights, mix=mix, finish=_FINISHES[kind], notes=notes)


def logistic(members: Members, goal: Goal) -> Blend:
    """Logistic regression of the target on the logarithms of the members' probabilities.

    A label is predicted from the members' log odds of that label, classes by one softmax from
    the logarithms of all columns of all members. Probabilities are moved into
    [1e-6, 1 - 1e-6] and columns standardised inside; the penalty is the best of six by four
    inner folds of these rows, groups not kept together. A member with one score for all rows
    gets coefficient 0. Weights are the members' shares of the sizes of standardised
    coefficients.

    Args:
        members: probabilities.
        goal: target and row weights.

    Raises:
        ConfigError: scores are no probabilities.

    Source: Wolpert (1992), "Stacked generalization", Neural Networks 5(2).
    """
    kind = require_probabilities("logistic", members, goal)
    num_columns, shares = members.scores.shape[2], row_shares(goal)
    scale = Logs("softmax" if kind == "classes" else "sigmoid", _FLOOR)
    values, blocks = scale.of(members), _blocks(kind, num_columns)
    if kind == "classes":
        fits = [fit_logistic(_flat(values, blocks[0]), goal.target, num_columns, shares)]
    else:
        truth = votes(goal.target, num_columns).astype(np.int64)
        both = [fit_logistic(_flat(values, b), truth[:, b][:, 0], 2, shares) for b in blocks]
        fits = [_odds(fit) for fit in both]
    coefficients, intercept = _joined(fits, blocks, len(members), num_columns)
    if kind == "classes" and goal.factors is not None:
        intercept = intercept + np.log(_undone(goal.factors))  # As for `ridge`.
    mix = _linear(coefficients, intercept)
    notes = (_note(fits, "four inner folds of rows"),)
    return Blend("logistic", _weights(fits, len(members)), scale, mix, notes=notes)


def _undone(factors: np.ndarray) -> np.ndarray:
    """(C,) what takes factors back; a factor of 0 leaves nothing, so there 1 will do."""
    undone: np.ndarray = 1.0 / np.where(factors > 0, factors, 1.0)
    return undone


def _blocks(kind: Kind, num_columns: int) -> list[list[int]]:
    """Columns that are predicted from each other."""
    every = list(range(num_columns))
    return [every] if kind == "classes" else [[column] for column in every]


def _flat(values: np.ndarray, block: Sequence[int]) -> np.ndarray:
    """(N, M * B) values of a block of columns, member by member."""
    return values[:, :, block].transpose(1, 0, 2).reshape(values.shape[1], -1)


def _odds(fit: LinearFit) -> LinearFit:
    """The fit of log odds that a fit of two classes is."""
    coefficients = fit.coefficients[:, 1:] - fit.coefficients[:, :1]
    intercept = fit.intercept[1:] - fit.intercept[:1]
    return replace(fit, coefficients=coefficients, intercept=intercept)


def _joined(
    fits: Sequence[LinearFit], blocks: Sequence[Sequence[int]], num_members: int, num_columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """(M, C, C) coefficients and (C,) intercept of the fits of all blocks."""
    coefficients = np.zeros((num_members, num_columns, num_columns))
    intercept = np.zeros(num_columns)
    for fit, block in zip(fits, blocks, strict=True):
        by_member = fit.coefficients.reshape(num_members, len(block), len(block))
        coefficients[np.ix_(range(num_members), block, block)] = by_member
        intercept[list(block)] = fit.intercept
    return coefficients, intercept


def _linear(coefficients: np.ndarray, intercept: np.ndarray) -> Linear:
    by_member = tuple(tuple(map(tuple, member)) for member in coefficients.tolist())
    return Linear(by_member, tuple(intercept.tolist()))


def _weights(fits: Sequence[LinearFit], num_members: int) -> tuple[float, ...]:
    """Each member's share of the sizes of coefficients; equal ones if all are 0."""
    sizes = sum(fit.sizes.reshape(num_members, -1).sum(axis=1) for fit in fits)
    total = float(np.sum(sizes))
    if total == 0:
        return equal_weights(num_members)
    return tuple((sizes / total).tolist())


def _note(fits: Sequence[LinearFit], by: str) -> str:
    penalties = sorted({fit.penalty for fit in fits})
    if not any(fit.is_chosen for fit in fits):
        return f"penalty {penalties[0]:g} as set: too little to choose one by"
    if len(penalties) == 1:
        return f"penalty {penalties[0]:g} by {by}"
    return f"penalties {penalties[0]:g} to {penalties[-1]:g} by {by}"
