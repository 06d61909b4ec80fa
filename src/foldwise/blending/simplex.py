"""Weights of 0 or more that sum to 1 and have the least loss, with a proof of how near it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

#: The gap to be reached: in nats for log loss; for squared error, in parts of the members' mean.
TOLERANCE = 1e-9

_MAX_STEPS = 100
_MIN_STEP = 1e-8
# More rows than this start from the optimum of a part of them, which is near.
_MANY_ROWS = 20_000
_EVERY = 10
_BLOCK = 2048
# Holds weights near where they are, in parts of the curvature: quadratic problems of members that
# are nearly equal are solvable then.
_DAMPING = 1e-10
# For the same: in parts of the members' mean squared error, far below the gap to be reached.
_RIDGE = 1e-12


@dataclass(frozen=True)
class Optimum:
    """What was found.

    Attributes:
        weights: (M,) of 0 or more that sum to 1.
        loss: with these weights.
        gap: the loss is at most so far above the least there is (duality gap, 0 or more).
        is_within: whether the gap is within `TOLERANCE`.
    """

    weights: np.ndarray
    loss: float
    gap: float
    is_within: bool


def least_log_loss(probs: np.ndarray, shares: np.ndarray) -> Optimum:
    """The weights with the least mean of -log(weights @ probs).

    Newton's method on all weights of 0 or more: the loss plus the sum of the weights has the
    same optimum. Each step solves its quadratic problem exactly.

    Args:
        probs: (M, R) above 0, of what is true.
        shares: (R,) of 0 or more that sum to 1.

    Source: Kim, Carbonetto, Stephens and Anitescu (2020), "A fast algorithm for maximum
    likelihood estimation of mixture proportions using sequential quadratic programming",
    Journal of Computational and Graphical Statistics 29(2).
    """
    num_members, num_rows = probs.shape
    weights = np.full(num_members, 1.0 / num_members)
    if num_rows > _MANY_ROWS and (part := shares[::_EVERY]).any():
        sample = np.ascontiguousarray(probs[:, ::_EVERY])
        weights = least_log_loss(sample, part / part.sum()).weights
    for _ in range(_MAX_STEPS):
        mix = weights @ probs
        slope = probs @ (shares / mix)
        if slope.max() - 1.0 <= TOLERANCE:
            break
        aim = _newton(probs, shares, weights, mix, slope)
        change = aim - weights
        step = _step(change @ probs / mix, shares, float(change.sum()), float(slope @ change))
        if step == 0.0:
            break
        weights = weights + step * change
        weights /= weights.sum()
    mix = weights @ probs
    gap = max(float((probs @ (shares / mix)).max()) - 1.0, 0.0)
    return Optimum(weights, float(-(shares @ np.log(mix))), gap, gap <= TOLERANCE)


def least_squares(products: np.ndarray) -> Optimum:
    """The weights with the least mean squared error.

    Args:
        products: (M, M) mean products of the members' errors; with weights that sum to 1 the
            squared error of the mean is weights @ products @ weights.
    """
    num_members = len(products)
    scale = float(np.trace(products)) / num_members
    weights = np.full(num_members, 1.0 / num_members)
    if scale > 0:
        # Up to its length, the optimum of the weights that sum to 1 has equal slope 1.
        ridge = _RIDGE * np.eye(num_members)
        aim = _least_quadratic(products / scale + ridge, np.ones(num_members))
        weights = aim / aim.sum()
    slope = products @ weights
    loss = float(weights @ slope)
    gap = max(2.0 * (loss - float(slope.min())), 0.0)
    return Optimum(weights, loss, gap, gap <= TOLERANCE * scale)


def _newton(
    probs: np.ndarray,
    shares: np.ndarray,
    weights: np.ndarray,
    mix: np.ndarray,
    slope: np.ndarray,
) -> np.ndarray:
    """(M,) weights of 0 or more where the loss as seen from here is least."""
    curvature = _curvature(probs, shares, mix)
    held = _DAMPING * curvature.diagonal()
    pull = 2.0 * slope - 1.0 + held * weights
    # No entry of the curvature is below 0: who is not pulled gets nothing. Left in, those of next
    # to no probability would cost the others their digits.
    pulled = np.flatnonzero(pull > 0)
    aim = np.zeros_like(weights)
    aim[pulled] = _least_quadratic(
        (curvature + np.diag(held))[np.ix_(pulled, pulled)], pull[pulled]
    )
    return aim


def _curvature(probs: np.ndarray, shares: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """(M, M) second derivatives; in blocks of rows that stay in the cache."""
    scale = np.sqrt(shares) / mix
    curvature = np.zeros((len(probs), len(probs)))
    for start in range(0, probs.shape[1], _BLOCK):
        rows = slice(start, start + _BLOCK)
        scaled = probs[:, rows] * scale[rows]
        curvature += scaled @ scaled.T
    return curvature


def _least_quadratic(curvature: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """The x of 0 or more with the least x @ curvature @ x / 2 - pull @ x."""
    scale = 1.0 / np.sqrt(curvature.diagonal())
    root = cholesky(curvature * np.outer(scale, scale))
    aim = solve_triangular(root, scale * pull, trans=1)
    x: np.ndarray = scale * nnls(root, aim, maxiter=100 * len(pull))[0]
    return x


def _step(change: np.ndarray, shares: np.ndarray, growth: float, fall: float) -> float:
    """The longest of 1, 1/2, 1/4 ... that lowers the loss by enough; 0 if none does.

    Args:
        change: (R,) of what is true's probability, in parts of it.
        shares: (R,) of the rows.
        growth: of the sum of weights.
        fall: what the loss falls by at first.
    """
    step = 1.0
    while step >= _MIN_STEP:
        with np.errstate(divide="ignore"):
            gained = float(shares @ np.log1p(step * change)) - step * growth
        if gained >= 0.01 * step * (fall - growth):
            return step
        step /= 2
    return 0.0
