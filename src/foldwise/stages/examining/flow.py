"""How strongly the gradient reaches each block of a network, in its first steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

import torch
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.freezing import blocks
from foldwise.models.network import Network
from foldwise.stages.examining.trial_facts import BlockFlow

#: Afterwards a batch may be learned, and its gradients fade.
_STEPS = 8


class FlowMeter:
    """Takes the gradients of a network's blocks after each of its first steps.

    Not only after the first: where a residual branch starts at 0, its weights have no gradient
    then.

    Args:
        network: that trains; what does not is left out.
    """

    def __init__(self, network: Network) -> None:
        self._weights = dict(network.named_parameters())
        self._blocks = {
            name: trained
            for name, weights in _named_blocks(network)
            if (trained := [w for w in weights if self._weights[w].requires_grad])
        }
        self._ratios: dict[str, list[float]] = {name: [] for name in self._blocks}
        self._num_steps = 0

    @torch.no_grad()
    def take(self) -> None:
        """Measure, after a step that left its gradients."""
        self._num_steps += 1
        if self._num_steps > _STEPS:
            return
        for name, weights in self._blocks.items():
            found = [self._weights[weight] for weight in weights]
            gradient = _norm(weight.grad for weight in found)
            self._ratios[name].append(gradient / max(_norm(found), 1e-12))

    def flow(self) -> tuple[BlockFlow, ...]:
        """Each block that trains, from the input on; nothing before the first step."""
        return tuple(BlockFlow(name, max(found)) for name, found in self._ratios.items() if found)

    def gathered(self, weights: set[str]) -> list[str]:
        """Names of weights, those of a whole block as one."""
        found = []
        for name, block in self._blocks.items():
            inside = [weight for weight in block if weight in weights]
            is_whole = len(inside) == len(block) > 1
            found += [f"all of {name}"] if is_whole else inside
        return found


def _named_blocks(network: Network) -> Iterator[tuple[str, list[str]]]:
    """Name of each block and of its weights: the backbone's, then the head and what is added."""
    try:
        inner = [[f"backbone.{name}" for name in block] for block in blocks(network)]
    except ConfigError:  # It does not say which layer is its head.
        inner = []
    named = {name for block in inner for name in block}
    others: dict[str, list[str]] = {}
    for name, _ in network.named_parameters():
        if name not in named:
            depth = 2 if name.startswith("backbone.") else 1
            others.setdefault(".".join(name.split(".")[:depth]), []).append(name)
    for block in [*inner, *others.values()]:
        yield _common(block), block


def _common(names: list[str]) -> str:
    """What a block is called: what its weights' names share, or the first of their layers.

    >>> _common(["backbone.layers.0.conv.weight", "backbone.layers.0.norm.bias"])
    'layers.0'
    >>> _common(["backbone.conv1.weight", "backbone.bn1.weight"])
    'conv1'
    """
    weights = [name.removeprefix("backbone.") for name in names]
    layers = [name.rpartition(".")[0] for name in weights]
    steps = zip(*(layer.split(".") for layer in layers), strict=False)
    shared = [step[0] for step in takewhile(lambda step: len(set(step)) == 1, steps)]
    return ".".join(shared) or layers[0] or weights[0]


def _norm(tensors: Iterable[torch.Tensor | None]) -> float:
    known = [tensor.detach().float() for tensor in tensors if tensor is not None]
    return float(nn.utils.get_total_norm(known)) if known else 0.0
