"""Losses where every output is a question of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foldwise.losses.multiclass import power
from foldwise.losses.regression import check_shapes
from foldwise.losses.terms import Loss


def bce(
    logits: Tensor, target: Tensor, *, label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> Tensor:
    """Binary cross-entropy of the sigmoid, mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float in [0, 1].
        label_smoothing: share of each target that is moved to 1/2.

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.
    """
    check_shapes("bce", logits, target)
    wanted = target.to(logits.dtype)
    if label_smoothing:
        wanted = wanted * (1.0 - label_smoothing) + label_smoothing / 2.0
    losses = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return losses.mean(dim=1)


def binary_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0,
    alpha: Annotated[float | None, Field(gt=0, lt=1)] = None,
) -> Tensor:
    """Binary cross-entropy that counts less the surer an answer already is, mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float in [0, 1]; between them, the mixture of both losses.
        gamma: power of what the right answer lacks; 0: plain binary cross-entropy.
        alpha: weight of ones, zeros have 1 - alpha; null: both have 1.

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.

    Source: Lin et al. (2017), "Focal Loss for Dense Object Detection", ICCV.
    """
    check_shapes("binary_focal", logits, target)
    wanted, probs = target.to(logits.dtype), logits.sigmoid()
    ones = wanted * power(1.0 - probs, gamma) * functional.softplus(-logits)
    zeros = (1.0 - wanted) * power(probs, gamma) * functional.softplus(logits)
    if alpha is not None:
        ones, zeros = alpha * ones, (1.0 - alpha) * zeros
    return (ones + zeros).mean(dim=1)


def asymmetric(
    logits: Tensor,
    target: Tensor,
    *,
    gamma_pos: Annotated[float, Field(ge=0, le=10)] = 1.0,
    gamma_neg: Annotated[float, Field(ge=0, le=10)] = 4.0,
    clip: Annotated[float, Field(ge=0, lt=1)] = 0.05,
) -> Tensor:
    """Focal loss that forgives zeros sooner than ones (ASL), mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float in [0, 1]; between them, the mixture of both losses.
        gamma_pos: power of what a one lacks.
        gamma_neg: power of the probability of a zero.
        clip: probability up to which a zero costs nothing.

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.

    Source: Ridnik et al. (2021), "Asymmetric Loss For Multi-Label Classification", ICCV.
    """
    check_shapes("asymmetric", logits, target)
    wanted, probs = target.to(logits.dtype), logits.sigmoid()
    ones = wanted * power(1.0 - probs, gamma_pos) * functional.softplus(-logits)
    shifted = (probs - clip).clamp_min(0.0)
    # Without a shift the logarithm of 1 - p is exact only from the logits.
    cost = -(1.0 - shifted).log() if clip else functional.softplus(logits)
    zeros = (1.0 - wanted) * power(shifted, gamma_neg) * cost
    return (ones + zeros).mean(dim=1)


LOSSES: dict[str, Loss] = {"bce": bce, "binary_focal": binary_focal, "asymmetric": asymmetric}
