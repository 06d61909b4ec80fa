"""Nearest neighbours on features: the head is its training rows."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import logit

from foldwise.models.second_level.rows import Arrays, TrainRows

_KINDS = ("softmax", "sigmoid", "linear")
_METRICS = ("euclidean", "cosine")
_NEAREST = 1e-12


def knn(
    train: TrainRows,
    *,
    neighbours: Annotated[int, Field(ge=1)] = 15,
    metric: Literal["cosine", "euclidean"] = "cosine",
    weigh: Literal["uniform", "distance"] = "uniform",
    prior: Annotated[float, Field(gt=0)] = 1.0,
) -> Arrays:
    """The shares of classes, or the mean value, among the nearest training rows.

    Args:
        train: rows of one fold.
        neighbours: how many; fewer where there are fewer rows.
        metric: of two standardised rows.
        weigh: neighbours alike, or by 1 / distance.
        prior: as many further neighbours that have the fold's class shares, so that no class has
            chance 0; values have none.

    Returns:
        `rows` (N, P) and `target` (N, O) float32, `weight` (N,), `share` (O,), `settings`
        (neighbours, place of the metric, by distance or not, prior, place of the kind).

    Source: Cover and Hart (1967), "Nearest neighbor pattern classification".
    """
    counted = train.weights > 0
    low = 0.5 / (counted.sum() + 1.0)
    share = np.average(train.one_hot, axis=0, weights=train.weights)
    return {
        "rows": train.rows[counted].astype(np.float32),
        "target": train.one_hot[counted],
        "weight": train.weights[counted].astype(np.float64),
        "share": share if train.kind == "linear" else np.clip(share, low, 1.0 - low),
        "settings": np.array(
            [
                min(neighbours, int(counted.sum())),
                _METRICS.index(metric),
                weigh == "distance",
                prior,
                _KINDS.index(train.kind),
            ],
            dtype=np.float64,
        ),
    }


def neighbour_outputs(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """(N, P) rows → (N, O) logits or values; of rows equally far the first in the table counts."""
    count, metric, by_distance, prior, kind = arrays["settings"]
    distances = _distances(rows, arrays["rows"].astype(np.float64), _METRICS[int(metric)])
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : int(count)]
    weights = arrays["weight"][nearest]
    if by_distance:
        weights = weights / np.maximum(np.take_along_axis(distances, nearest, axis=1), _NEAREST)
    weights = weights / weights.sum(axis=1, keepdims=True)
    mean = np.einsum("nk,nko->no", weights, arrays["target"][nearest])
    if _KINDS[int(kind)] == "linear":
        return np.asarray(mean)
    probs = (mean * count + prior * arrays["share"]) / (count + prior)
    return np.asarray(np.log(probs) if _KINDS[int(kind)] == "softmax" else logit(probs))


def _distances(rows: np.ndarray, others: np.ndarray, metric: str) -> np.ndarray:
    """(N, M) distances."""
    if metric == "cosine":
        return np.asarray(1.0 - _unit(rows) @ _unit(others).T)
    squares = np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares - 2.0 * rows @ others.T, 0.0)))


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))
