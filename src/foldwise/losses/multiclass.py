"""Losses where exactly one class is right."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foldwise.losses.terms import Loss


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


def focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0,
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> Tensor:
    """Cross-entropy that counts less the surer the right class already is.

    Args:
        logits: (N, C) float.
        target: (N,) int64 classes, or (N, C) float shares that sum to 1; the loss of shares is
            the mixture of the classes' losses.
        gamma: power of 1 - p that the cross-entropy is multiplied by; 0: plain cross-entropy.
        label_smoothing: share of the target spread evenly over all classes.

    Returns:
        (N,) float, at least 0.

    Source: Lin et al. (2017), "Focal Loss for Dense Object Detection", ICCV.
    """
    log_probs = logits.log_softmax(dim=1)
    wanted = smoothed(shares(target, logits), label_smoothing)
    return -(wanted * power(1.0 - log_probs.exp(), gamma) * log_probs).sum(dim=1)


def poly1(
    logits: Tensor,
    target: Tensor,
    *,
    epsilon: Annotated[float, Field(ge=-1)] = 1.0,
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> Tensor:
    """Cross-entropy plus `epsilon` times what the right class lacks: Poly-1.

    Args:
        logits: (N, C) float.
        target: (N,) int64 classes, or (N, C) float shares that sum to 1.
        epsilon: added to the first coefficient of the loss's polynomial in 1 - p.
        label_smoothing: share of the target spread evenly over all classes, in both terms.

    Returns:
        (N,) float, at least 0.

    Source: Leng et al. (2022), "PolyLoss: A Polynomial Expansion Perspective of Classification
    Loss Functions", ICLR.
    """
    wanted = smoothed(shares(target, logits), label_smoothing)
    missed = 1.0 - (wanted * logits.softmax(dim=1)).sum(dim=1)
    return cross_entropy(logits, target, label_smoothing=label_smoothing) + epsilon * missed


def symmetric_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: Annotated[float, Field(ge=0)] = 0.1,
    beta: Annotated[float, Field(ge=0)] = 1.0,
    log_zero: Annotated[float, Field(lt=0)] = -4.0,
) -> dict[str, Tensor]:
    """Cross-entropy both ways: the reverse one bounds what a wrong label can cost.

    Args:
        logits: (N, C) float.
        target: (N,) int64 classes, or (N, C) float shares that sum to 1.
        alpha: weight of the cross-entropy.
        beta: weight of the reverse one.
        log_zero: stands for the logarithm of a share below its exponential, such as 0.

    Returns:
        `cross_entropy` and `reverse`, each (N,) float, at least 0; the loss is their sum.

    Source: Wang et al. (2019), "Symmetric Cross Entropy for Robust Learning with Noisy Labels",
    ICCV.
    """
    log_target = shares(target, logits).log().clamp_min(log_zero)
    reverse = -(logits.softmax(dim=1) * log_target).sum(dim=1)
    return {
        "cross_entropy": alpha * cross_entropy(logits, target),
        "reverse": beta * reverse,
    }


def affinity(
    logits: Tensor, target: Tensor, *, margin: Annotated[float, Field(gt=0, le=1)] = 0.75
) -> Tensor:
    """Hinges that want the right class more similar than each other class, by a margin.

    Args:
        logits: (N, C) float, logarithms of similarities; above 0 they count as 0.
        target: (N,) int64 classes, or (N, C) float shares that sum to 1; the loss of shares is
            the mixture of the classes' losses.
        margin: what the right class's similarity, at most 1, must have over every other.

    Returns:
        (N,) float in [0, (C - 1) * (1 + margin)].

    Source: Hayat et al. (2019), "Gaussian Affinity for Max-Margin Class Imbalanced Learning",
    ICCV. The term on the prototypes themselves is `PrototypeHead.diversity`.
    """
    similarity = logits.clamp_max(0.0).exp()
    if target.ndim > 1:
        return (target * _hinges(similarity, similarity, margin)).sum(dim=1)
    own = similarity.gather(1, target[:, None])
    return _hinges(similarity, own, margin)[:, 0]


def _hinges(similarity: Tensor, own: Tensor, margin: float) -> Tensor:
    """(N, K) sum of the hinges of each of (N, K) similarities, taken to be the right class's."""
    lacking = margin + similarity[:, None, :] - own[:, :, None]
    # The right class's own hinge, which is among them, is the margin.
    return (lacking.relu().sum(dim=2) - margin).clamp_min(0.0)


def shares(target: Tensor, logits: Tensor) -> Tensor:
    """(N,) classes as (N, C) shares in the type of the logits; shares as they are."""
    if target.ndim == 1:
        target = functional.one_hot(target, logits.shape[1])
    return target.to(logits.dtype)


def smoothed(wanted: Tensor, label_smoothing: float) -> Tensor:
    """(N, C) shares of which a part is spread evenly over all classes."""
    return wanted * (1.0 - label_smoothing) + label_smoothing / wanted.shape[1]


def power(base: Tensor, exponent: float) -> Tensor:
    """`base ** exponent` for a base of 0 or more, whose slope stays finite at 0."""
    return base.clamp_min(torch.finfo(base.dtype).eps) ** exponent


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "poly1": poly1,
    "symmetric_cross_entropy": symmetric_cross_entropy,
    "affinity": affinity,
}
