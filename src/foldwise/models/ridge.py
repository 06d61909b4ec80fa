"""Ridge regression for all penalties from one decomposition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def path(
    rows: np.ndarray, target: np.ndarray, row_weights: np.ndarray, penalties: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Heads for each penalty in turn.

    Minimises sum(w * (rows @ W + b - target)**2) / sum(w) + penalty * W**2.

    Args:
        rows: (N, r) float64.
        target: (N, O) float64.
        row_weights: (N,) at least 0, not all 0.
        penalties: above 0.

    Yields:
        (r, O) weights and (O,) biases.
    """
    share = (row_weights / row_weights.sum())[:, None]
    mean, target_mean = (share * rows).sum(axis=0), (share * target).sum(axis=0)
    scaled = np.sqrt(share) * (rows - mean)
    wanted = np.sqrt(share) * (target - target_mean)
    if len(scaled) < scaled.shape[1]:
        strength, left = np.linalg.eigh(scaled @ scaled.T)
        axes, aims = scaled.T @ left, left.T @ wanted
    else:
        strength, axes = np.linalg.eigh(scaled.T @ scaled)
        aims = axes.T @ (scaled.T @ wanted)
    strength = np.maximum(strength, 0.0)[:, None]
    for penalty in penalties:
        weight = axes @ (aims / (strength + penalty))
        yield weight, target_mean - mean @ weight


def losses(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(N,) squared errors, summed over outputs."""
    squared: np.ndarray = np.square(logits - target).sum(axis=1)
    return squared
