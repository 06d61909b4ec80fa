"""Averages of a network's weights over training: moving, or over the last epochs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Ema:
    """Exponential moving average of all weights and statistics, with warm-up.

    The decay at update t = 0, 1, ... is min(decay, (1 + t) / (10 + t)), so that the random first
    weights are soon forgotten.

    Args:
        network: the average starts from its weights.
        decay: in (0, 1), reached after about 9 / (1 - decay) updates.

    Source: the warm-up is TensorFlow's `ExponentialMovingAverage(num_updates=...)`.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.count = 0
        self._weights = _copy(network.state_dict())

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights after an optimiser step."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        _move(self._weights, network.state_dict(), 1.0 - decay)
        self.count += 1

    def weights(self) -> dict[str, Tensor]:
        """The average, as a state dict."""
        return _copy(self._weights)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on, as flat named tensors; do not change them."""
        return _pack(self._weights, self.count)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.count = _unpack(self._weights, state)


class WeightMean:
    """Plain mean of the weights at the ends of the last epochs.

    Batch-norm statistics are averaged like weights.

    Args:
        network: gives names, shapes and device.
        last: number of epochs.
        of: epochs of the schedule that this is said of; of a shorter one it is the same share.

    Source: Izmailov et al. (2018), "Averaging weights leads to wider optima and better
    generalization", UAI; here with the schedule's own rates.
    """

    def __init__(self, network: nn.Module, last: int, *, of: int | None = None) -> None:
        self.last, self.of = last, of
        self.count = 0
        self._weights = _copy(network.state_dict())

    @torch.no_grad()
    def update(self, network: nn.Module, epoch: int, num_epochs: int) -> None:
        """Take in the weights after `epoch` (from 0) if it is one of the last."""
        share = 1.0 if self.of is None else min(1.0, num_epochs / self.of)
        if epoch < num_epochs - max(1, round(share * self.last)):
            return
        self.count += 1
        _move(self._weights, network.state_dict(), 1.0 / self.count)

    def weights(self) -> dict[str, Tensor]:
        """The mean, as a state dict; only once `count` is above 0."""
        assert self.count, "no epoch has been averaged yet"
        return _copy(self._weights)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on, as flat named tensors; do not change them."""
        return _pack(self._weights, self.count)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.count = _unpack(self._weights, state)


def _move(average: dict[str, Tensor], weights: Mapping[str, Tensor], share: float) -> None:
    """Move the average towards the weights by `share`; whole numbers are taken over."""
    floats = [name for name, value in average.items() if value.is_floating_point()]
    torch._foreach_lerp_(
        [average[name] for name in floats], [weights[name] for name in floats], share
    )
    for name, value in average.items():
        if not value.is_floating_point():
            value.copy_(weights[name])


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}


def _pack(weights: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    named = {f"weights.{name}": value for name, value in weights.items()}
    return named | {"count": torch.tensor(count)}


@torch.no_grad()
def _unpack(weights: dict[str, Tensor], state: Mapping[str, Tensor]) -> int:
    for name, value in weights.items():
        value.copy_(state[f"weights.{name}"])
    return int(state["count"])
