"""Rows that heads can learn, of each kind of target."""

from __future__ import annotations

import numpy as np

from foldwise.models.second_level.rows import Kind, TrainRows


def train_rows(kind: Kind, *, num: int = 60, num_outputs: int = 3, seed: int = 0) -> TrainRows:
    """Rows of 6 numbers, the first of which say the target, standardised and rounded."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(num, 6))
    score = rows[:, :num_outputs] + 0.3 * rng.normal(size=(num, num_outputs))
    target = {
        "softmax": score.argmax(axis=1),
        "sigmoid": (score > 0).astype(np.float32),
        "linear": (5.0 + 2.0 * score).astype(np.float32),
    }[kind]
    rows = ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32).astype(np.float64)
    return TrainRows(rows, target, kind, num_outputs)


def other_rows(num: int = 40) -> np.ndarray:
    """(num, 6) rows that no head has seen."""
    rows = np.random.default_rng(9).normal(size=(num, 6))
    return np.asarray(rows.astype(np.float32).astype(np.float64))
