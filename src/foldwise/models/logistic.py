"""Penalised logistic regression: one softmax, or a sigmoid per output; along falling penalties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, logsumexp

Link = Literal["softmax", "sigmoid"]
_MEMORY = 20
_MAX_STEPS = 2_000


def path(
    rows: np.ndarray,
    target: np.ndarray,
    row_weights: np.ndarray,
    penalties: Sequence[float],
    *,
    link: Link,
    tolerance: float,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Heads for each penalty in turn, each started from the one before.

    Minimises sum(w * loss) / sum(w) + penalty / 2 * W**2. An output that cannot be learned,
    since its target is the same in all rows, gets weight 0 and a low (or high) bias.

    Args:
        rows: (N, r) float64, or float32 for speed, whose columns are nearly uncorrelated.
        target: (N, O) float64 in [0, 1]; rows sum to 1 for "softmax".
        row_weights: (N,) at least 0, not all 0.
        penalties: above 0.
        link: what makes probabilities of logits.
        tolerance: largest entry of the (preconditioned) gradient at the end.

    Yields:
        (r, O) weights and (O,) biases.
    """
    row_share = row_weights / row_weights.sum()
    share, counted = row_share @ target, target[row_weights > 0]
    varies = counted.min(axis=0) < counted.max(axis=0)
    is_learned = varies | (counted.max(axis=0) > 0) if link == "softmax" else varies
    learned, num_rows = np.flatnonzero(is_learned), len(counted)
    weight, bias = np.zeros((rows.shape[1], len(share))), _flat_bias(share, num_rows, link)
    for penalty in penalties:
        if len(learned) > (1 if link == "softmax" else 0):
            start = weight[:, learned], bias[learned]
            problem = rows, target[:, learned], row_share
            weight[:, learned], bias[learned] = _fit(*problem, penalty, start, link, tolerance)
        if link == "softmax" and len(learned) < len(share):
            reach = logsumexp(rows @ weight[:, learned] + bias[learned], axis=1).min()
            bias[~is_learned] = reach - np.log(2.0 * num_rows)
        yield weight.copy(), bias.copy()


def losses(logits: np.ndarray, target: np.ndarray, *, link: Link) -> np.ndarray:
    """(N,) log losses; those of a sigmoid summed over outputs."""
    if link == "softmax":
        found: np.ndarray = logsumexp(logits, axis=1) - (target * logits).sum(axis=1)
    else:
        found = (np.logaddexp(0.0, logits) - target * logits).sum(axis=1)
    return found


def _flat_bias(share: np.ndarray, num_rows: int, link: Link) -> np.ndarray:
    """The best biases without weights; an output without examples counts as half a row."""
    low = 0.5 / (num_rows + 1.0)
    kept = np.clip(share, low, 1.0 - low)
    return np.asarray(np.log(kept) if link == "softmax" else logit(kept))


def _fit(
    rows: np.ndarray,
    target: np.ndarray,
    row_share: np.ndarray,
    penalty: float,
    start: tuple[np.ndarray, np.ndarray],
    link: Link,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    num_axes, num_outputs = rows.shape[1], target.shape[1]
    share = row_share @ target
    # Columns are nearly uncorrelated, so the Hessian is nearly diagonal: scaled by its diagonal
    # at the flat start, L-BFGS needs tens of steps in place of hundreds.
    spread = np.mean(share * (1.0 - share))
    curvature = spread * (row_share @ np.square(rows))
    scale = np.concatenate([1.0 / np.sqrt(curvature + penalty), [1.0 / np.sqrt(spread)]])[:, None]

    def value_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        both = flat.reshape(num_axes + 1, num_outputs) * scale
        weight, bias = both[:-1], both[-1]
        logits = rows @ weight.astype(rows.dtype) + bias
        value = row_share @ losses(logits, target, link=link)
        value += 0.5 * penalty * np.square(weight).sum()
        error = row_share[:, None] * (_probs(logits, link) - target)
        pull = rows.T @ error.astype(rows.dtype)
        slope = np.concatenate([pull + penalty * weight, error.sum(axis=0)[None]])
        return float(value), (slope * scale).ravel()

    begin = np.concatenate([start[0], start[1][None]]) / scale
    options = {"maxcor": _MEMORY, "maxiter": _MAX_STEPS, "gtol": tolerance, "ftol": 0.0}
    found = minimize(value_and_slope, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    both = found.x.reshape(num_axes + 1, num_outputs) * scale
    return both[:-1], both[-1]


def _probs(logits: np.ndarray, link: Link) -> np.ndarray:
    if link == "sigmoid":
        return np.asarray(expit(logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
