"""Losses where the classes are grades in order."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from foldwise.losses.multiclass import cross_entropy


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


LOSSES = {"expectation": expectation}
