"""Predictions and targets that a metric can score, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foldwise.metrics import METRICS, Metric
from foldwise.metrics.boundary_f import BoundaryCounts, count_boundaries
from foldwise.metrics.mask_counts import MaskCounts
from foldwise.metrics.metric import Rows


def rows_for(
    metric: Metric, task: str, seed: int, num: int = 60, num_classes: int = 4
) -> tuple[Rows, Rows]:
    """Middling predictions with ties, every class in the target twice at least."""
    if metric.takes == "masks":
        counts = counts_for(metric, seed, num, num_classes)
        return counts, counts.true
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


def counts_for(
    metric: Metric, seed: int, num: int, num_classes: int
) -> MaskCounts | BoundaryCounts:
    """Counts of masks of which half the truths are empty, some answered by something."""
    rng = np.random.default_rng(seed)
    true, answered = (
        rng.integers(1, 9, (num, num_classes)) * (rng.random((num, num_classes)) < 0.5)
        for _ in range(2)
    )
    common = rng.integers(0, np.minimum(true, answered) + 1)
    if metric.count is not count_boundaries:
        return MaskCounts(common, answered, true)
    return BoundaryCounts(common, answered, np.minimum(common + 1, true) * (answered > 0), true)


def perfect_for(metric: Metric, preds: Rows, target: Rows) -> Rows:
    """Predictions that leave nothing to want."""
    if isinstance(preds, MaskCounts):
        return MaskCounts(preds.true, preds.true, preds.true)
    if isinstance(preds, BoundaryCounts):
        return BoundaryCounts(preds.true, preds.true, preds.true, preds.true)
    if metric.takes == "scores" and target.ndim == 1:
        return np.eye(preds.shape[1])[target]
    return target


def cases() -> Iterator[tuple[str, str]]:
    """Every metric with every task it can score."""
    for name, metric in METRICS.items():
        for task in metric.tasks:
            yield name, task
