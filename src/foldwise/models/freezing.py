"""Which weights train, and which layers behave as in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from timm.layers import RmsNorm
from timm.models._manipulate import group_with_matcher  # timm does not export it elsewhere.
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from foldwise.errors import ConfigError
from foldwise.models.network import Network
from foldwise.models.pooling import pool_parameters

Trainable = Literal["head", "head_norms", "all", "none"] | Mapping[Literal["last"], int]

_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm2d, RmsNorm)


def set_trainable(network: Network, what: Trainable) -> None:
    """Say which weights train; all others are frozen.

    Args:
        network: changed in place.
        what: "head", "head_norms" (the head and every normalisation layer), "all", "none", or
            {"last": n}: the last n blocks and the head. What a recipe adds to a network goes with
            the head: no pretrained weights are lost in it.

    Raises:
        ConfigError: the network has no head that can be told apart, not so many blocks, or no
            normalisation layers.
    """
    network.requires_grad_(what == "all")
    if what in ("all", "none"):
        return
    for parameter in [*_head(network), *_added(network)]:
        parameter.requires_grad_(True)
    if what == "head_norms":
        for parameter in _norms(network):
            parameter.requires_grad_(True)
    if isinstance(what, Mapping):
        named = dict(network.backbone.named_parameters())
        for name in _last_blocks(network, what["last"]):
            named[name].requires_grad_(True)


def train_mode(network: nn.Module, norm: Literal["train", "frozen"] = "train") -> None:
    """Put what trains in training mode and the rest in eval mode.

    A frozen layer keeps its batch statistics and drops nothing out, so features before the first
    trainable weight are those of inference.

    Args:
        network: changed in place; `requires_grad` says what trains.
        norm: "frozen" keeps the statistics of all batch norms, trainable or not, but those of
            what a recipe adds to a network: they start from nothing.
    """
    found: dict[nn.Module, bool | None] = {}
    _whether_trains(network, found)
    _set_modes(network, found, False, norm)
    if isinstance(network, Network):
        for part in (network.shallow, network.branch):
            if part is not None:
                _set_modes(part, found, False, "train")


def blocks(network: Network) -> list[list[str]]:
    """Names of the backbone's weights, without the head, block by block from the input on."""
    ends = {id(parameter) for parameter in [*_head(network), *_added(network)]}
    names = [name for name, p in network.backbone.named_parameters() if id(p) not in ends]
    matcher = getattr(network.backbone, "group_matcher", None)
    place: dict[str, int] | dict[str, str]
    if matcher is None:
        place = {name: _child(network.backbone, name) for name in names}
    else:
        place = _places(names, matcher(coarse=False))
        names.sort(key=lambda name: place[name])
    found: dict[object, list[str]] = {}
    for name in names:
        found.setdefault(place[name], []).append(name)
    return list(found.values())


def _last_blocks(network: Network, num: int) -> list[str]:
    found = blocks(network)
    if not 0 < num <= len(found):
        raise ConfigError(
            f"last: {num}: {type(network.backbone).__name__} has {len(found)} blocks",
            remedy=f"give a number from 1 to {len(found)}, or head or all",
        )
    return [name for block in found[-num:] for name in block]


def _norms(network: Network) -> list[nn.Parameter]:
    layers = [module for module in network.modules() if isinstance(module, _NORMS)]
    parameters = [p for layer in layers for p in layer.parameters(recurse=False)]
    if not parameters:
        raise ConfigError(
            f"head_norms: {type(network.backbone).__name__} has no normalisation layers "
            "with weights",
            remedy="use head, {last: n} or all",
        )
    return parameters


def _head(network: Network) -> list[nn.Parameter]:
    if network.end is not None:
        return list(network.end.parameters())
    named = getattr(network.backbone, "get_classifier", None)
    found = named() if named is not None else getattr(network.backbone, "head", None)
    heads = found if isinstance(found, tuple | list) else [found]
    parameters = [p for head in heads if isinstance(head, nn.Module) for p in head.parameters()]
    if not parameters:
        raise ConfigError(
            f"{type(network.backbone).__name__} does not say which of its layers is the head",
            remedy="use trainable: all, or give the network an attribute `head`",
        )
    return parameters


def _added(network: Network) -> list[nn.Parameter]:
    """Weights of what a recipe adds to a network."""
    parts = [network.shallow, network.branch, network.auxiliary]
    found = [p for part in parts if part is not None for p in part.parameters()]
    return found + pool_parameters(network.backbone)


def _places(names: list[str], matcher: object) -> dict[str, int]:
    """Number of each weight's block; what the matcher does not know belongs to the last one."""
    if not isinstance(matcher, dict):
        places: dict[str, int] = group_with_matcher(
            ((name, name) for name in names), matcher, reverse=True
        )
        return places
    stray = ""
    found = group_with_matcher(((name, name) for name in [*names, stray]), matcher, reverse=True)
    last = max((found[name] for name in names if found[name] != found[stray]), default=0)
    return {name: last if found[name] == found[stray] else found[name] for name in names}


def _child(backbone: nn.Module, name: str) -> str:
    """The block a weight is in: a child, or a child of a child that only holds a list."""
    first, *rest = name.split(".")
    is_list = isinstance(getattr(backbone, first), nn.Sequential | nn.ModuleList)
    return ".".join([first, rest[0]]) if is_list and len(rest) > 1 else first


def _whether_trains(module: nn.Module, found: dict[nn.Module, bool | None]) -> bool | None:
    """Whether any weight in this tree trains; None: it has no weights."""
    states: list[bool | None] = [p.requires_grad for p in module.parameters(recurse=False)]
    states += [_whether_trains(child, found) for child in module.children()]
    known = [state for state in states if state is not None]
    found[module] = any(known) if known else None
    return found[module]


def _set_modes(
    module: nn.Module, found: Mapping[nn.Module, bool | None], inherited: bool, norm: str
) -> None:
    own = found[module]
    # What has no weights (dropout, drop path) goes with what it stands in.
    trains = inherited if own is None else own
    module.training = trains and not (norm == "frozen" and isinstance(module, _BatchNorm))
    for child in module.children():
        _set_modes(child, found, trains, norm)
