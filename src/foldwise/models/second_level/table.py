"""The heads by name: how each is fitted, how it is evaluated, and what it can answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foldwise.models.second_level.boosting import boosting, tree_outputs
from foldwise.models.second_level.linear import linear_outputs, logistic, ridge
from foldwise.models.second_level.neighbours import knn, neighbour_outputs
from foldwise.models.second_level.rows import Arrays, Kind
from foldwise.models.second_level.support_vectors import support_vector_outputs, svc, svr


@dataclass(frozen=True)
class Head:
    """One way to learn from features.

    Attributes:
        fit: training rows → arrays; keyword-only parameters are the options.
        outputs: arrays, (N, P) float64 rows → (N, O) logits or values. The only way a row is
            scored, held-out or test.
        kinds: what its outputs can mean.
        cost: rough seconds of fitting, from the number of rows: per row, and per pair of rows.
    """

    fit: Callable[..., Arrays]
    outputs: Callable[[Arrays, np.ndarray], np.ndarray]
    kinds: tuple[Kind, ...]
    cost: tuple[float, float] = (1e-3, 0.0)

    def seconds(self, num_rows: int) -> float:
        """Rough time of fitting one fold on one core, for forecasts."""
        per_row, per_pair = self.cost
        return num_rows * per_row + num_rows**2 * per_pair


HEADS = {
    "svr": Head(svr, support_vector_outputs, ("linear",), (0.0, 1e-6)),
    "svc": Head(svc, support_vector_outputs, ("softmax", "sigmoid"), (0.0, 1e-5)),
    "ridge": Head(ridge, linear_outputs, ("linear",)),
    "logistic": Head(logistic, linear_outputs, ("softmax", "sigmoid"), (3e-3, 0.0)),
    "knn": Head(knn, neighbour_outputs, ("softmax", "sigmoid", "linear"), (0.0, 1e-7)),
    "boosting": Head(boosting, tree_outputs, ("softmax", "sigmoid", "linear"), (1e-2, 0.0)),
}
