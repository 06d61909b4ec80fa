"""Makes logits of margins: a slope and an offset per output, fitted by log loss."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax

#: Steeper slopes (their logarithm) say no more than that the classes are apart.
_STEEPEST = 6.0
_PULL = 1e-3


def calibrate(
    margins: np.ndarray, target: np.ndarray, weight: np.ndarray, link: Literal["softmax", "sigmoid"]
) -> tuple[np.ndarray, np.ndarray]:
    """The slope, one for all outputs, and the offsets with the least mean log loss.

    Targets are drawn in by 1 / (N + 2), as Platt does, so that separable margins get a finite
    slope; offsets are drawn to 0 by a weak penalty.

    Args:
        margins: (N, O) float, above 0 where the output is likely.
        target: (N, O) 0 or 1; rows sum to 1 for "softmax".
        weight: (N,) at least 0, not all 0.
        link: what makes probabilities of logits.

    Returns:
        (O,) slopes, all equal and above 0, and (O,) offsets.

    Source: Platt (1999), "Probabilistic outputs for support vector machines and comparisons to
    regularized likelihood methods"; Guo et al. (2017), "On calibration of modern neural networks".
    """
    share = weight / weight.sum()
    num_rows, num_outputs = target.shape
    middle = 1.0 / num_outputs if link == "softmax" else 0.5
    drawn = target + (middle - target) / (num_rows + 2.0)

    def value_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        steepness, offset = np.exp(flat[0]), flat[1:]
        logits = steepness * margins + offset
        probs = softmax(logits, axis=1) if link == "softmax" else expit(logits)
        if link == "softmax":
            losses = -(drawn * np.log(np.maximum(probs, 1e-300))).sum(axis=1)
        else:
            losses = (np.logaddexp(0.0, logits) - drawn * logits).sum(axis=1)
        error = share[:, None] * (probs - drawn)
        value = share @ losses + 0.5 * _PULL * np.square(offset).sum()
        pull = np.concatenate(
            [[steepness * (error * margins).sum()], error.sum(axis=0) + _PULL * offset]
        )
        return float(value), pull

    bounds = [(-_STEEPEST, _STEEPEST)] + [(None, None)] * num_outputs
    found = minimize(
        value_and_slope, np.zeros(1 + num_outputs), jac=True, method="L-BFGS-B", bounds=bounds
    )
    return np.full(num_outputs, np.exp(found.x[0])), found.x[1:]
