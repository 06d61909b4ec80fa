"""Linear heads: logistic and ridge, solved exactly, their penalty chosen inside the fold."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from foldwise.models.linear_head import solve_head
from foldwise.models.second_level.rows import Arrays, TrainRows


def logistic(train: TrainRows, *, penalty: Annotated[float, Field(gt=0)] | None = None) -> Arrays:
    """Multinomial logistic regression, or one logistic per label or border.

    Args:
        train: rows of one fold.
        penalty: half of it on squared weights, beside the mean loss; scikit-learn's
            C is 1 / (penalty * N). null: chosen by cross-validation on these rows.

    Returns:
        `weight` (O, P) and `bias` (O,) float32.
    """
    return _solved(train, penalty)


def ridge(train: TrainRows, *, penalty: Annotated[float, Field(gt=0)] | None = None) -> Arrays:
    """Linear regression with a penalty on squared weights.

    Args:
        train: rows of one fold.
        penalty: beside the mean squared error; scikit-learn's alpha is penalty * N. null:
            chosen by cross-validation on these rows.

    Returns:
        `weight` (O, P) and `bias` (O,) float32.

    Source: Hoerl and Kennard (1970), "Ridge regression: biased estimation for nonorthogonal
    problems".
    """
    return _solved(train, penalty)


def linear_outputs(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """(N, P) rows → (N, O) logits or values."""
    return np.asarray(rows @ arrays["weight"].T.astype(np.float64) + arrays["bias"])


def _solved(train: TrainRows, penalty: float | None) -> Arrays:
    solved = solve_head(
        train.rows,
        train.target,
        train.kind,
        num_outputs=train.num_outputs,
        groups=train.groups,
        sample_weight=train.weight,
        seed=train.seed,
        penalty=penalty,
    )
    return {"weight": solved.weight, "bias": solved.bias}
