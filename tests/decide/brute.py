"""Small cases of every awkward kind, and every decision there is for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np

Case = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def cases(num: int, *, num_classes: int, most_rows: int = 7) -> Iterator[Case]:
    """Scores, targets and weights: ties, constant scores, one class, absent classes and rows."""
    rng = np.random.default_rng(num_classes)
    for number in range(num):
        rows = int(rng.integers(1, most_rows + 1))
        classes = rng.permutation(num_classes)[: rng.integers(1, num_classes + 1)]
        target = rng.choice(classes, rows)
        scores = (target + rng.normal(size=rows)) * rng.choice([0.3, 1.0])
        decimals = int(rng.choice([0, 1, 9]))
        scores = np.clip(np.round(scores, decimals), 0, num_classes - 1)
        if number % 10 == 0:
            scores[:] = scores[0]
        weight = [None, rng.random(rows) + 0.01, rng.integers(0, 3, rows).astype(float)][number % 3]
        if weight is not None and not weight.any():
            weight[0] = 1.0
        yield scores, target, weight


@cache
def rising(num_distinct: int, num_cuts: int) -> np.ndarray:
    """(P, num_cuts) every way to put cuts among distinct scores: how many are below each."""
    ways = itertools.combinations_with_replacement(range(num_distinct + 1), num_cuts)
    return np.array(list(ways), dtype=np.int64)


def every_cut(scores: np.ndarray, num_cuts: int) -> tuple[np.ndarray, np.ndarray]:
    """(P, N) every answer that cuts can give, and (P, num_cuts) the gaps they are cut at."""
    distinct, places = np.unique(scores, return_inverse=True)
    ways = rising(len(distinct), num_cuts)
    answers = (places[None, :, None] >= ways[:, None, :]).sum(axis=2)
    return answers, ways


def away(scores: np.ndarray, ways: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """(P,) how far the fixed cuts are from the gaps, in all."""
    edges = np.concatenate([[-np.inf], np.unique(scores), [np.inf]])
    low, high = edges[ways], edges[ways + 1]
    inside = np.where(fixed > high, fixed - high, np.where(fixed < low, low - fixed, 0.0))
    # A cut on the score above its gap is still in it; one on the score below is not.
    return np.asarray(inside.sum(axis=1))


def f_beta(
    answers: np.ndarray, target: np.ndarray, weights: np.ndarray, *, beta: float, axis: int
) -> np.ndarray:
    """F-beta of (..., N) 0/1 answers, summed over the axis or axes from `axis` on."""
    axes = tuple(range(axis, 0))
    found = (weights * answers * target).sum(axis=axes)
    both = (weights * (answers + beta**2 * target)).sum(axis=axes)
    return np.divide((1 + beta**2) * found, both, out=np.zeros_like(both), where=both > 0)
