"""Named terms of a loss, which it may give instead of their sum: each can then be followed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

#: What a loss gives: (N,) losses, or the name of each term → its (N,) part of them.
Losses = Tensor | Mapping[str, Tensor]

#: (N, O) logits, (N, ...) target → what a loss gives.
Loss = Callable[..., Losses]


def total(found: Losses) -> Tensor:
    """(N,) what is minimised: the sum of the terms.

    >>> total({"near": Tensor([1.0]), "far": Tensor([2.0])})
    tensor([3.])
    """
    if isinstance(found, Tensor):
        return found
    first, *others = found.values()
    for term in others:
        first = first + term
    return first


def named(found: Losses) -> dict[str, Tensor]:
    """Name → (N,) term; none for a loss that is one number."""
    return {} if isinstance(found, Tensor) else dict(found)


def means(found: Losses) -> dict[str, float]:
    """Name → mean of each term; none for a loss that is one number."""
    return {name: float(term.mean()) for name, term in named(found).items()}


def joined_losses(parts: Sequence[Losses]) -> Losses:
    """What a loss gave for several batches, one after the other."""
    if isinstance(parts[0], Tensor):
        return torch.cat([total(part) for part in parts])
    return {name: torch.cat([named(part)[name] for part in parts]) for name in parts[0]}


def weighted(found: Losses, weights: Tensor | None) -> Losses:
    """The same with each row multiplied by its weight.

    Args:
        found: what a loss gave.
        weights: (N,), or None for all alike.
    """
    if weights is None:
        return found
    if isinstance(found, Tensor):
        return found * weights
    return {name: term * weights for name, term in found.items()}


def weigh(loss: Loss, logits: Tensor, target: Tensor, weights: Tensor | None) -> Losses:
    """What a loss gives for rows of unlike weight.

    Args:
        loss: as `fit` takes it. One that is a statistic of the batch takes the weights as
            `row_weights` and gives numbers that have them in already.
        logits: (N, O).
        target: (N, ...).
        weights: (N,), or None for all alike.
    """
    if weights is not None and is_of_batch(loss):
        return loss(logits, target, row_weights=weights)
    return weighted(loss(logits, target), weights)


def is_of_batch(loss: Loss) -> bool:
    """Whether a row's loss depends on the rows beside it."""
    return "row_weights" in inspect.signature(loss).parameters


def summed(parts: Mapping[str, tuple[Loss, float]]) -> Loss:
    """A loss whose terms are others, each multiplied by its weight.

    Args:
        parts: name → loss, weight. Terms of a part that has terms itself are named
            `part.term`.
    """

    def loss(logits: Tensor, target: Tensor, row_weights: Tensor | None = None) -> Losses:
        terms: dict[str, Tensor] = {}
        for name, (part, weight) in parts.items():
            found = weigh(part, logits, target, row_weights)
            each = {"": found} if isinstance(found, Tensor) else found
            terms |= {".".join(filter(None, (name, k))): weight * v for k, v in each.items()}
        return terms

    return loss
