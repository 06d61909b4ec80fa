"""Losses where the outputs are numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional


def mse(logits: Tensor, target: Tensor) -> Tensor:
    """Squared error, mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float.

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.
    """
    check_shapes("mse", logits, target)
    return (logits - target).square().mean(dim=1)


def smooth_l1(
    logits: Tensor, target: Tensor, *, beta: Annotated[float, Field(gt=0)] = 1.0
) -> Tensor:
    """Squared error near 0, absolute error beyond `beta`; mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float.
        beta: error at which the square becomes a line.

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.

    Source: Girshick (2015), "Fast R-CNN", ICCV; beta times it is Huber's loss (1964).
    """
    check_shapes("smooth_l1", logits, target)
    losses = functional.smooth_l1_loss(logits, target.to(logits.dtype), beta=beta, reduction="none")
    return losses.mean(dim=1)


def huber(logits: Tensor, target: Tensor, *, delta: Annotated[float, Field(gt=0)] = 1.0) -> Tensor:
    """Half the squared error near 0, a line of slope `delta` beyond; mean over outputs.

    Args:
        logits: (N, O) float.
        target: (N, O) float.
        delta: error at which the square becomes a line.

    Returns:
        (N,) float, at least 0.

    Raises:
        ValueError: the shapes differ.

    Source: Huber (1964), "Robust Estimation of a Location Parameter", Annals of Mathematical
    Statistics 35(1), 73-101.
    """
    check_shapes("huber", logits, target)
    losses = functional.huber_loss(logits, target.to(logits.dtype), delta=delta, reduction="none")
    return losses.mean(dim=1)


def check_shapes(name: str, logits: Tensor, target: Tensor) -> None:
    """Refuse shapes that would be broadcast against each other.

    Raises:
        ValueError: the shapes differ or are not (N, O).
    """
    # (N, 1) against (N,) would give (N, N) without a word.
    if logits.ndim != 2 or logits.shape != target.shape:
        raise ValueError(
            f"{name} needs logits and target of one shape (N, O), "
            f"found {tuple(logits.shape)} and {tuple(target.shape)}"
        )


LOSSES = {"mse": mse, "smooth_l1": smooth_l1, "huber": huber}
