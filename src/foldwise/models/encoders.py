"""The front of a timm network as an encoder: its maps, with the weights of the whole network."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from itertools import pairwise

import timm
import torch
from timm.models._manipulate import group_with_matcher  # timm does not export it elsewhere.
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.backbones import Order
from foldwise.models.mask_network import Encoder

_REMEDY = (
    "choose a convolutional network, or a transformer whose maps get smaller step by step "
    "(pvt_v2, convnext, efficientnet, resnet)"
)


def check_maps(order: Order) -> None:
    """Refuse a network whose maps do not halve from step to step.

    Raises:
        ConfigError: it gives no maps, or others.
    """
    try:
        with torch.device("meta"):
            network = timm.create_model(order.name, features_only=True, **order.options)
    except (RuntimeError, ValueError, AssertionError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"network {order.name} gives no maps that a decoder could take: {error}",
            remedy=_REMEDY,
        ) from error
    reductions: list[int] = network.feature_info.reduction()
    if reductions[0] > 4 or any(fine * 2 != coarse for fine, coarse in pairwise(reductions)):
        found = ", ".join(f"1/{reduction}" for reduction in reductions)
        raise ConfigError(
            f"network {order.name} gives maps of {found} of the image's side; a decoder takes "
            "maps of which each is half as large as the one before, from 1/4 or finer on",
            remedy=_REMEDY,
        )


def encoder_of(encoder: nn.Module, whole: nn.Module) -> Encoder:
    """An encoder with the weights of the whole network that it is the front of.

    timm renames weights where it takes a network apart for its maps: `stages.0` becomes
    `stages_0`, `blocks` becomes `model.blocks`.

    Args:
        encoder: normalised images → maps; its weights are those of the library's wrapper.
        whole: the timm network of the same name and options, for classes.

    Raises:
        ConfigError: a weight of the encoder is none of the whole network's, or of another shape.
    """
    tensors = whole.state_dict()
    try:
        names = _whole_names(list(encoder.state_dict()), list(tensors))
        encoder.load_state_dict({name: tensors[of] for name, of in names.items()}, strict=True)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"the encoder is no front of {type(whole).__name__}: {reason[:240]}", remedy=_REMEDY
        ) from error
    numbers = _layer_numbers(whole)
    weights = [name for name, _ in encoder.named_parameters()]
    patterns = set(getattr(whole, "no_weight_decay", set)())
    return Encoder(
        encoder,
        layers={f"encoder.{name}": numbers[names[name]] for name in weights},
        undecayed=[
            f"encoder.{name}"
            for name in weights
            if any(fnmatch.fnmatch(names[name], pattern) for pattern in patterns)
        ],
        dropped=[name for name in tensors if name not in set(names.values())],
    )


def _whole_names(names: Sequence[str], whole: Sequence[str]) -> dict[str, str]:
    """Names of an encoder's weights → of the whole network's, which differ by dots alone."""
    places = {_plain(name): name for name in whole}
    assert len(places) == len(whole), "two weights differ by dots alone"
    found = {}
    for name in names:
        inner = name.removeprefix("model.")
        # Twice, where timm wraps the network itself.
        found[name] = places.get(_plain(inner)) or places.get(_plain(inner.removeprefix("model.")))
    if lacking := [name for name, of in found.items() if of is None]:
        raise ValueError(f"{', '.join(lacking[:3])} are none of its weights")
    return {name: of for name, of in found.items() if of is not None}


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _layer_numbers(whole: nn.Module) -> dict[str, int]:
    """Name of each weight → number of its layer, as timm counts them."""
    matcher = getattr(whole, "group_matcher", None)
    names = [name for name, _ in whole.named_parameters()]
    if matcher is None:
        return dict.fromkeys(names, 0)
    pairs = ((name, name) for name in names)
    numbers: dict[str, int] = group_with_matcher(pairs, matcher(coarse=False), reverse=True)
    return numbers
