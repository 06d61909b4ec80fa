"""Named terms of a loss, which it may give instead of their sum: each can then be followed."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

#: What a loss gives: (N,) losses, or the name of each term → its (N,) part of them.
Losses = Tensor | Mapping[str, Tensor]


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
