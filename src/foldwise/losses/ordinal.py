"""Losses where the classes are grades in order."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foldwise.losses.multiclass import cross_entropy, shares
from foldwise.losses.regression import check_shapes
from foldwise.losses.terms import Loss

#: Beside the chance of a batch, in squared shares of the scale: a batch of one grade has none.
_NO_CHANCE = 1e-7


def expectation(
    logits: Tensor,
    target: Tensor,
    *,
    mse_weight: Annotated[float, Field(ge=0)] = 1.0,
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> dict[str, Tensor]:
    """Cross-entropy plus the squared error of the expected grade.

    Args:
        logits: (N, K) float.
        target: (N,) int64 grades, or (N, K) float shares that sum to 1 (mixup).
        mse_weight: weight of the squared error, in grades squared.
        label_smoothing: for the cross-entropy only.

    Returns:
        `cross_entropy` and `squared_error`, each (N,) float, at least 0; the loss is their sum.
    """
    grades = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
    expected = logits.softmax(dim=1) @ grades
    wanted = target.to(logits.dtype)
    if target.ndim == 2:
        wanted = wanted @ grades
    error = (expected - wanted).square()
    return {
        "cross_entropy": cross_entropy(logits, target, label_smoothing=label_smoothing),
        "squared_error": mse_weight * error,
    }


def squared_emd(logits: Tensor, target: Tensor) -> Tensor:
    """Squared earth mover's distance: how far the probabilities above each border are off.

    Args:
        logits: (N, K) float.
        target: (N,) int64 grades, or (N, K) float shares that sum to 1.

    Returns:
        (N,) float in [0, K-1]: the squared differences of both distributions, summed over borders.

    Source: Hou, Yu and Samaras (2016), "Squared Earth Mover's Distance-based Loss for Training
    Deep Neural Networks"; it is the ranked probability score of Epstein (1969).
    """
    difference = (logits.softmax(dim=1) - shares(target, logits)).cumsum(dim=1)
    return difference[:, :-1].square().sum(dim=1)


def soft_kappa(logits: Tensor, target: Tensor, row_weights: Tensor | None = None) -> Tensor:
    """1 - quadratic weighted kappa of the probabilities, as each row's part of it.

    Kappa is one number of the whole batch: the squared distances over those that chance would
    give with the same shares of grades. A row's number is its own squared distance in units of
    the batch's chance, so that the mean over rows, and its slope, are exactly 1 - kappa of the
    batch. Rows that weigh more count more in the distances and in both shares.

    Args:
        logits: (N, K) float.
        target: (N,) int64 grades, or (N, K) float shares that sum to 1.
        row_weights: (N,) at least 0; None: all 1.

    Returns:
        (N,) float, at least 0; their sum is that of the weights times 1 - kappa, which is 1 for
        the same answer to all rows, and for a batch of one row or grade whatever the answer.

    Source: de la Torre, Puig and Valls (2018), "Weighted kappa loss function for multi-class
    classification of ordinal data in deep learning", Pattern Recognition Letters 105, 144-154.
    """
    grades = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
    squares = ((grades[:, None] - grades) / (logits.shape[1] - 1)).square()
    probs, wanted = logits.softmax(dim=1), shares(target, logits)
    rows = probs.new_ones(len(probs)) if row_weights is None else row_weights.to(probs.dtype)
    far = (wanted @ squares * probs).sum(dim=1)
    # Shares of grades; rows that weigh nothing at all have none, and cost nothing.
    each = rows / rows.sum().clamp_min(torch.finfo(rows.dtype).tiny)
    chance = (each @ wanted) @ squares @ (each @ probs)
    return rows * far / (chance + _NO_CHANCE)


def corn(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each border among the rows above the border before.

    Args:
        logits: (N, K-1) float, of being above a border, given that one is above that before.
        target: (N, K-1) float, 1 above the border, else 0; of mixed rows, the mixture.

    Returns:
        (N,) float, at least 0: the sum over a row's borders, over K-1, so that a row costs the
        same in any batch.

    Raises:
        ValueError: the shapes differ.

    Source: Shi, Cao and Raschka (2021), "Deep Neural Networks for Rank-Consistent Ordinal
    Regression Based On Conditional Probabilities".
    """
    check_shapes("corn", logits, target)
    above = target.to(logits.dtype)
    asked = torch.cat([torch.ones_like(above[:, :1]), above[:, :-1]], dim=1)
    costs = above * functional.softplus(-logits) + (asked - above) * functional.softplus(logits)
    return costs.mean(dim=1)


def two_step(
    logits: Tensor, target: Tensor, *, grade_weight: Annotated[float, Field(ge=0)] = 1.0
) -> dict[str, Tensor]:
    """Whether a row is above the first grade, and if so, cross-entropy of its grade.

    With a weight of 1 it is the cross-entropy of the grades' joint probabilities.

    Args:
        logits: (N, K) float: one of being above the first grade, then those of the others.
        target: (N,) int64 grades, or (N, K) float shares that sum to 1.
        grade_weight: weight of the second step.

    Returns:
        `above_first` and `grade`, each (N,) float, at least 0; the loss is their sum.
    """
    wanted = shares(target, logits)
    first = functional.binary_cross_entropy_with_logits(
        logits[:, 0], 1.0 - wanted[:, 0], reduction="none"
    )
    second = -(wanted[:, 1:] * logits[:, 1:].log_softmax(dim=1)).sum(dim=1)
    return {"above_first": first, "grade": grade_weight * second}


LOSSES: dict[str, Loss] = {
    "expectation": expectation,
    "squared_emd": squared_emd,
    "soft_kappa": soft_kappa,
    "corn": corn,
    "two_step": two_step,
}
