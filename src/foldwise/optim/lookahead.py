"""Slow weights that follow the optimiser's: several steps forward, one back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Lookahead:
    """Slow weights, which start from the network's first ones.

    Every `k` steps they go the share `alpha` of the way to the network's weights, which are then
    set to them. The optimiser's own state, such as momentum, goes on. Batch-norm statistics are
    left to the network.

    Args:
        network: the slow weights start from its weights.
        k: optimiser steps between two moves, at least 1.
        alpha: in (0, 1).

    Source: Zhang et al. (2019), "Lookahead optimizer: k steps forward, 1 step back", NeurIPS.
    """

    def __init__(self, network: nn.Module, *, k: int, alpha: float) -> None:
        self.k, self.alpha = k, alpha
        self.count = 0
        self._slow = {name: p.detach().clone() for name, p in network.named_parameters()}

    def update(self, network: nn.Module) -> None:
        """Take note of an optimiser step."""
        self.count += 1
        if self.count == self.k:
            self.sync(network)

    @torch.no_grad()
    def sync(self, network: nn.Module) -> None:
        """Move the slow weights, and set the network's to them; `k` steps are counted anew."""
        fast = dict(network.named_parameters())
        slow = [self._slow[name] for name in fast]
        torch._foreach_lerp_(slow, list(fast.values()), self.alpha)
        for name, parameter in fast.items():
            parameter.copy_(self._slow[name])
        self.count = 0

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on, as flat named tensors; do not change them."""
        named = {f"slow.{name}": value for name, value in self._slow.items()}
        return named | {"count": torch.tensor(self.count)}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, value in self._slow.items():
            value.copy_(state[f"slow.{name}"])
        self.count = int(state["count"])
