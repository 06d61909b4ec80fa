"""Losses where every output is a question of its own."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from foldwise.losses.regression import check_shapes


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of the sigmoid, mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float in [0, 1].

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.
    """
    check_shapes("bce", logits, target)
    losses = functional.binary_cross_entropy_with_logits(
        logits, target.to(logits.dtype), reduction="none"
    )
    return losses.mean(dim=1)


LOSSES = {"bce": bce}
