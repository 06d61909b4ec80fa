"""Penalised cumulative logits: one weight per feature for all borders, a bias for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from foldwise.models import logistic

_MEMORY = 20
_MAX_STEPS = 2_000


def path(
    rows: np.ndarray,
    target: np.ndarray,
    row_weights: np.ndarray,
    penalties: Sequence[float],
    *,
    tolerance: float,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Heads for each penalty in turn, each started from the one before.

    Minimises sum(w * loss) / sum(w) + penalty / 2 * W**2, a row's loss being its binary
    cross-entropies summed over borders. At the optimum biases fall as the shares above do, so
    chances to be above fall from border to border. A border that all rows are above, or none, gets
    a bias beyond all others.

    Args:
        rows: (N, r) float64, or float32 for speed, whose columns are nearly uncorrelated.
        target: (N, O) float64 in [0, 1].
        row_weights: (N,) at least 0, not all 0.
        penalties: above 0.
        tolerance: largest entry of the (preconditioned) gradient at the end.

    Yields:
        (r, 1) weights and (O,) biases.

    Source: Cao, Mirjalili and Raschka (2020), "Rank consistent ordinal regression for neural
    networks with application to age estimation", Pattern Recognition Letters 140, 325-331.
    """
    row_share = row_weights / row_weights.sum()
    share, counted = row_share @ target, target[row_weights > 0]
    low = 0.5 / (len(counted) + 1.0)
    bias, weight = logit(np.clip(share, low, 1.0 - low)), np.zeros(rows.shape[1])
    is_learned = counted.min(axis=0) < counted.max(axis=0)
    for penalty in penalties:
        if is_learned.any():
            problem = rows, target[:, is_learned], row_share
            weight, learned = _fit(*problem, penalty, (weight, bias[is_learned]), tolerance)
            bias[is_learned] = learned
            full, empty = ~is_learned & (share > 0.5), ~is_learned & (share <= 0.5)
            bias[full] = np.maximum(bias[full], learned.max())
            bias[empty] = np.minimum(bias[empty], learned.min())
        yield weight[:, None].copy(), bias.copy()


def _fit(
    rows: np.ndarray,
    target: np.ndarray,
    row_share: np.ndarray,
    penalty: float,
    start: tuple[np.ndarray, np.ndarray],
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    num_axes = rows.shape[1]
    share = row_share @ target
    spread = share * (1.0 - share)
    # As in `logistic`: scaled by the diagonal of the Hessian at the flat start.
    curvature = spread.sum() * (row_share @ np.square(rows))
    scale = np.concatenate([1.0 / np.sqrt(curvature + penalty), 1.0 / np.sqrt(spread)])

    def value_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = np.split(flat * scale, [num_axes])
        logits = (rows @ weight.astype(rows.dtype))[:, None] + bias
        value = row_share @ logistic.losses(logits, target, link="sigmoid")
        value += 0.5 * penalty * np.square(weight).sum()
        error = row_share[:, None] * (expit(logits) - target)
        pull = rows.T @ error.sum(axis=1).astype(rows.dtype)
        slope = np.concatenate([pull + penalty * weight, error.sum(axis=0)])
        return float(value), slope * scale

    options = {"maxcor": _MEMORY, "maxiter": _MAX_STEPS, "gtol": tolerance, "ftol": 0.0}
    begin = np.concatenate(start) / scale
    found = minimize(value_and_slope, begin, jac=True, method="L-BFGS-B", options=options)
    weight, bias = np.split(found.x * scale, [num_axes])
    return weight, bias
