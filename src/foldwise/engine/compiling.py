"""Compiling a network's step in training, and what it would save, by a short trial."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar, cast

import torch
from torch import nn

from foldwise.engine.layout import LEAST_SAVED, step_seconds
from foldwise.models.freezing import Trainable, set_trainable
from foldwise.models.network import Network

#: What the network takes → (B, O) logits, and the outputs that further terms of the loss look at.
Outputs = Callable[..., tuple[torch.Tensor, list[torch.Tensor]]]

F = TypeVar("F", bound=Callable[..., Any])

_ROUNDS = 3
#: Graphs of one network: every kind of epoch has its own, for every length of batch.
_MOST_GRAPHS = 256


@dataclass(frozen=True)
class CompileTrial:
    """Seconds of a step's forward and backward pass, and of what it takes to compile them.

    Attributes:
        plain: of a step as it is.
        compiled: of a compiled step; None: it was not compiled.
        compiling: of compiling both passes for one shape.
        reason: why it could not be compiled; empty: it could.
        is_too_short: it was not compiled, since the training is too short for that.
    """

    plain: float
    compiled: float | None
    compiling: float = 0.0
    reason: str = ""
    is_too_short: bool = False

    def pays(self, *, num_steps: int, num_graphs: int) -> bool:
        """Whether a training is over earlier with compiled steps.

        Args:
            num_steps: of the training.
            num_graphs: that are compiled in it.

        >>> CompileTrial(1.0, 0.8, 50.0).pays(num_steps=1000, num_graphs=2)
        True
        >>> CompileTrial(1.0, 0.8, 50.0).pays(num_steps=400, num_graphs=2)
        False
        """
        if self.compiled is None or self.compiled > (1 - LEAST_SAVED) * self.plain:
            return False
        return (self.plain - self.compiled) * num_steps > self.compiling * num_graphs


def training_outputs(module: nn.Module, *, compiled: bool = False) -> Outputs:
    """How a step calls what it trains.

    Args:
        module: a network, or its head alone.
        compiled: compile it for each shape that it is given, when it is first given it. Draws are
            those of the plain step; sums may differ in their last bits.
    """
    outputs = module.all_outputs if isinstance(module, Network) else _without_sides(module)
    return compile_function(outputs, fallback_random=True) if compiled else outputs


def obstacle(device: torch.device) -> str:
    """What is missing on this machine to compile for the device; empty: nothing."""
    if device.type == "cpu" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        return "there is no C++ compiler here"
    return ""


def compile_trial(
    network: Network,
    images: torch.Tensor,
    *,
    trainable: Trainable = "all",
    device: torch.device,
    autocast: torch.dtype | None = None,
    worth: Callable[[float], bool] = lambda plain: True,
) -> CompileTrial:
    """Time plain and compiled steps in turn: the least of three.

    Args:
        network: copied, not changed.
        images: (B, C, S, S) uint8.
        trainable: what trains.
        device: where to compute.
        autocast: half precision to compute in, or None.
        worth: told the seconds of a plain step, whether to compile one at all.

    Raises:
        StepMemoryError: memory ran out in a plain step. Where it does in compiled ones alone, that
            is a reason against them.
    """
    network = copy.deepcopy(network).to(device).train()
    set_trainable(network, trainable)
    images = images.to(device)

    def seconds(outputs: Outputs) -> float:
        return step_seconds(outputs, network, images, device, autocast)

    plain = training_outputs(network)
    least = min([seconds(plain) for _ in range(1 + _ROUNDS)][1:])
    if not worth(least):
        return CompileTrial(least, None, is_too_short=True)
    if missing := obstacle(device):
        return CompileTrial(least, None, reason=missing)
    compiled = training_outputs(network, compiled=True)
    try:
        first = seconds(compiled)
        rounds = [(seconds(plain), seconds(compiled)) for _ in range(_ROUNDS)]
    except Exception as error:  # Whatever the compiler or the network's own code may raise.
        return CompileTrial(least, None, reason=first_line(error))
    torch.compiler.reset()
    plain_s, compiled_s = (min(each) for each in zip(*rounds, strict=True))
    return CompileTrial(plain_s, compiled_s, max(first - compiled_s, 0.0))


def _without_sides(module: nn.Module) -> Outputs:
    def outputs(*inputs: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return module(*inputs), []

    return outputs


def compile_function(function: F, **options: Any) -> F:
    """A function compiled for each shape that it is given, when it is first given it.

    Args:
        function: of tensors.
        options: of inductor.
    """
    import torch._dynamo
    import torch._inductor.config

    # A training that goes on after a kill compiles what is left of its graphs: so each must be the
    # same whatever was compiled before, and none may be left out.
    torch._dynamo.config.recompile_limit = _MOST_GRAPHS
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    # In this process: a pool of compilers would outlive a kill.
    torch._inductor.config.compile_threads = 1
    return cast(F, torch.compile(function, dynamic=False, options=options))


def first_line(error: Exception) -> str:
    """Kind and first words of an error, for a reason."""
    lines = list(takewhile(bool, str(error).splitlines()))
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
