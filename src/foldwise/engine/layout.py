"""Which layout of images and weights in memory a network trains faster in, by a short trial."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any, get_args

import torch

from foldwise.engine.memory import step_memory
from foldwise.models.freezing import Trainable, set_trainable
from foldwise.models.network import Layout, Network

_ROUNDS = 3
_DEFAULT: Layout = "channels_last"
#: Which share of its time another way must save: less is the machine's noise.
LEAST_SAVED = 0.03


def layout_seconds(
    network: Network,
    images: torch.Tensor,
    *,
    trainable: Trainable = "all",
    device: torch.device,
    autocast: torch.dtype | None = None,
) -> dict[Layout, float]:
    """Seconds of a forward and a backward pass in each layout: the least of three, taken in turn.

    Args:
        network: copied, not changed.
        images: (B, C, S, S) uint8.
        trainable: what trains.
        device: where to compute.
        autocast: half precision to compute in, or None.

    Raises:
        StepMemoryError: memory ran out.
    """
    networks = {
        layout: _laid_out(network, layout, trainable, device) for layout in get_args(Layout)
    }
    images = images.to(device)
    seconds: dict[Layout, list[float]] = {layout: [] for layout in networks}
    for _ in range(1 + _ROUNDS):
        for layout, each in networks.items():
            seconds[layout].append(step_seconds(each.all_outputs, each, images, device, autocast))
    return {layout: min(found[1:]) for layout, found in seconds.items()}  # The first warms up.


def faster_layout(seconds: Mapping[Layout, float]) -> Layout:
    """The faster layout; channels_last, in which the cache has images, if there is little in it.

    >>> faster_layout({"channels_first": 0.99, "channels_last": 1.0})
    'channels_last'
    """
    fastest = min(seconds, key=lambda layout: seconds[layout])
    is_clear = seconds[fastest] <= (1 - LEAST_SAVED) * seconds[_DEFAULT]
    return fastest if is_clear else _DEFAULT


def _laid_out(
    network: Network, layout: Layout, trainable: Trainable, device: torch.device
) -> Network:
    found = copy.deepcopy(network).to(device).train()
    found.set_layout(layout)
    set_trainable(found, trainable)
    return found


def step_seconds(
    outputs: Callable[..., Any],
    network: Network,
    images: torch.Tensor,
    device: torch.device,
    autocast: torch.dtype | None,
) -> float:
    """Seconds of one forward and backward pass.

    Args:
        outputs: what a step calls, such as `network.all_outputs`.
        network: whose gradients are dropped afterwards.
        images: (B, C, S, S) uint8, on the device.
        device: where to compute.
        autocast: half precision to compute in, or None.

    Raises:
        StepMemoryError: memory ran out.
    """
    wait(device)
    started = time.perf_counter()
    with step_memory():
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            logits, others = outputs(images, *network.unknown_columns(len(images)))
        loss: Any = sum(each.float().square().mean() for each in (logits, *others))
        loss.backward()
        wait(device)
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - started


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
