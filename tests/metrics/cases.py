"""Predictions and targets that a metric can score, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foldwise.metrics import METRICS, Metric

Rows = tuple[np.ndarray, np.ndarray]


def rows_for(metric: Metric, task: str, seed: int, num: int = 60, num_classes: int = 4) -> Rows:
    """Middling predictions with ties, every class in the target twice at least."""
    rng = np.random.default_rng(seed)
    target = rng.permutation(np.arange(num) % num_classes)
    if task == "regression":
        truth = rng.normal(size=num)
        return truth + rng.normal(size=num), truth
    if task == "multilabel":
        truth = (rng.random((num, num_classes)) < 0.4).astype(np.int64)
        truth[:2], truth[2:4] = 1, 0
        if metric.takes == "scores":
            return np.round(0.6 * rng.random(truth.shape) + 0.3 * truth, 1), truth
        return np.where(rng.random(truth.shape) < 0.3, 1 - truth, truth), truth
    if metric.takes == "answers":
        return np.where(rng.random(num) < 0.3, rng.integers(0, num_classes, num), target), target
    scores = np.round(rng.random((num, num_classes)), 1) + 0.1
    scores[np.arange(num), target] += 0.3
    return scores / scores.sum(axis=1, keepdims=True), target


def cases() -> Iterator[tuple[str, str]]:
    """Every metric with every task it can score."""
    for name, metric in METRICS.items():
        for task in metric.tasks:
            yield name, task
