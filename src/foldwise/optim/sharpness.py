"""Steps by the gradient at the worst point near the weights: it leads to flat minima."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

#: (weights, their gradients) → the way from the weights to the worst point nearby.
Sharpness = Callable[[Sequence[Tensor], Sequence[Tensor]], list[Tensor]]

#: Keeps a gradient of zeros from a division by zero.
_TINY = 1e-12


def sam(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    *,
    rho: Annotated[float, Field(gt=0)] = 0.05,
) -> list[Tensor]:
    """A step of length `rho` up the gradient of all weights together.

    Args:
        weights: those that train.
        gradients: of the whole batch, in the same order and shapes.
        rho: length of the step, in the units of the weights.

    Returns:
        The step of each weight.

    Source: Foret et al. (2021), "Sharpness-aware minimization for efficiently improving
    generalization", ICLR.

    >>> sam([Tensor([1.0, 1.0])], [Tensor([3.0, 4.0])], rho=0.5)
    [tensor([0.3000, 0.4000])]
    """
    norm = get_total_norm(list(gradients))
    return list(torch._foreach_mul(list(gradients), rho / (norm + _TINY)))


def asam(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    *,
    rho: Annotated[float, Field(gt=0)] = 0.5,
    eta: Annotated[float, Field(ge=0)] = 0.01,
) -> list[Tensor]:
    """The same measured in the size of each weight, so that rescaled layers are no sharper.

    With T = |w| + eta the step is rho T² g / ||T g||. Biases and norms, which have one axis, have
    T = 1; the authors' code does so for biases, and norms stay near 1.

    Args:
        weights: those that train.
        gradients: of the whole batch, in the same order and shapes.
        rho: length of the step, as a share of the weights.
        eta: lets weights at 0 move.

    Returns:
        The step of each weight.

    Source: Kwon et al. (2021), "ASAM: Adaptive sharpness-aware minimization for scale-invariant
    learning of deep neural networks", ICML.
    """
    sizes = [w.abs() + eta if w.ndim > 1 else torch.ones_like(w) for w in weights]
    scaled = torch._foreach_mul(sizes, list(gradients))
    norm = get_total_norm(list(scaled))
    torch._foreach_mul_(sizes, scaled)
    return list(torch._foreach_mul(sizes, rho / (norm + _TINY)))


@contextmanager
def at_sharpest(network: nn.Module, sharpness: Sharpness) -> Iterator[None]:
    """Within, the weights that have a gradient stand at the worst point nearby, without gradients.

    Afterwards weights and statistics are what they were to the bit, and the gradients are those
    taken within. So a batch moves batch-norm statistics once, by its pass at the weights
    themselves, while within it is normalised by its own, as in any training step.

    Args:
        network: with the gradients of the whole batch.
        sharpness: bound, of `SHARPNESS`.
    """
    weights = [p.detach() for p in network.parameters() if p.grad is not None]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    tensors = [*weights, *network.buffers()]
    kept = [tensor.clone() for tensor in tensors]
    torch._foreach_add_(weights, sharpness(weights, gradients))
    network.zero_grad(set_to_none=True)
    try:
        yield
    finally:
        torch._foreach_copy_(tensors, kept)


SHARPNESS: dict[str, Callable[..., list[Tensor]]] = {"sam": sam, "asam": asam}
