"""Losses where exactly one class is right."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional


def cross_entropy(
    logits: Tensor, target: Tensor, *, label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> Tensor:
    """Cross-entropy of the softmax.

    Args:
        logits: (N, C) float.
        target: (N,) int64 classes, or (N, C) float shares that sum to 1 (mixup).
        label_smoothing: share of the target spread evenly over all classes.

    Returns:
        (N,) float, at least 0 and, for shares, at least their entropy.
    """
    return functional.cross_entropy(
        logits, target, reduction="none", label_smoothing=label_smoothing
    )


LOSSES = {"cross_entropy": cross_entropy}
