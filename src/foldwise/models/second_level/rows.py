"""What a head is fitted on, and the logits of outputs that cannot be learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import logit, logsumexp

#: What a head's outputs mean: logits of one softmax, a logit each, or values.
Kind = Literal["softmax", "sigmoid", "linear"]
#: A fitted head: name → array.
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class TrainRows:
    """The training rows of one fold.

    Attributes:
        rows: (N, P) float64, standardised, each number one that float32 holds.
        target: "softmax": (N,) int classes; "sigmoid": (N, O) 0 or 1; "linear": (N, O) float.
        kind: what the outputs mean.
        num_outputs: O.
        groups: (N,) rows of one group stay together in inner folds; None: every row alone.
        weight: (N,) how much each row counts, mean 1; None: all equal.
        seed: of all random draws.
    """

    rows: np.ndarray
    target: np.ndarray
    kind: Kind
    num_outputs: int
    groups: np.ndarray | None = None
    weight: np.ndarray | None = None
    seed: int = 0

    @property
    def one_hot(self) -> np.ndarray:
        """(N, O) float64 targets, classes as ones and zeros."""
        if self.kind == "softmax":
            return np.asarray(np.eye(self.num_outputs)[self.target])
        return self.target.astype(np.float64)

    @property
    def weights(self) -> np.ndarray:
        """(N,) float64, how much each row counts."""
        return np.ones(len(self.rows)) if self.weight is None else self.weight


def flat_logits(share: np.ndarray, num_rows: int) -> np.ndarray:
    """(O,) logits that give each output its share of the rows, at least half a row's.

    >>> flat_logits(np.array([0.5, 0.0]), 9).round(3)
    array([ 0.   , -2.944])
    """
    low = 0.5 / (num_rows + 1.0)
    return np.asarray(logit(np.clip(share, low, 1.0 - low)))


def with_absent(
    logits: np.ndarray, present: np.ndarray, num_outputs: int, num_rows: int
) -> np.ndarray:
    """(N, O) logits of a softmax from those of the classes that had rows.

    Args:
        logits: (N, P) of the present classes.
        present: (P,) int, which classes these are.
        num_outputs: O; the others get half a row's chance each.
        num_rows: rows that the head was fitted on.
    """
    absent = logsumexp(logits, axis=1) - np.log(2.0 * num_rows)
    found = np.repeat(absent[:, None], num_outputs, axis=1)
    found[:, present] = logits
    return np.asarray(found)
