"""Optimisers by name, with no decay on norms and biases."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_class, list_optimizers
from timm.optim import param_groups_layer_decay as layer_decay_groups
from timm.optim import param_groups_weight_decay as decay_groups
from torch import nn

from foldwise.errors import ConfigError

_KRON = "compiles its step and keeps lists, which a checkpoint cannot hold"
# What timm has and training here cannot use, and why.
_UNFIT = {
    "adahessian": "needs second derivatives, which the training step does not compute",
    **dict.fromkeys(("kron", "kronc", "kronw"), _KRON),
}
# Options that say how a step of PyTorch's own optimisers is computed.
_WAYS = frozenset({"fused", "foreach", "capturable", "differentiable"})
_SETTINGS = ("params", "lr", "weight_decay")
_COMMON = "common ones: adamw, adam, radam, sgd, lion, muon; all of timm's are known"
_PACKAGES = {"bnb": "bitsandbytes", "fused": "apex"}


def optimizers() -> list[str]:
    """Names of the optimisers that can be built here."""
    return [
        name for name in list_optimizers() if name not in _UNFIT and _package(name) in (None, "")
    ]


def build_optimizer(
    network: nn.Module,
    *,
    name: str,
    lr: float,
    weight_decay: float,
    options: Mapping[str, Any] | None = None,
    fuses: bool = False,
) -> torch.optim.Optimizer:
    """An optimiser over all of a network's weights, those frozen at the moment included.

    Frozen weights have no gradient and are passed over, so one optimiser, and one checkpoint,
    serves all stages of a schedule.

    Args:
        network: a `Network`, or any module.
        name: of timm.
        lr: learning rate; the schedule sets it again at each step, times a group's `lr_scale`.
        weight_decay: for weights of two or more axes; norms and biases have none.
        options: of the optimiser; and `layer_decay`: the rate of each layer of the backbone over
            the next one's, in (0, 1], full for its last layer and the head (Clark et al. (2020),
            "ELECTRA", ICLR).
        fuses: take a step in one pass over the weights where PyTorch can, unless the options say
            how; the same step to the last bits, at a seventh of its time on a CPU.

    Raises:
        ConfigError: unknown name (nearest given) or option, or a package is missing.
    """
    _check_name(name)
    settings = dict(options or {})
    _check_options(name, settings)
    layer_decay = settings.pop("layer_decay", None)
    if fuses and _can_fuse(name, network) and not _WAYS & settings.keys():
        settings["fused"] = True
    groups = _groups(network, weight_decay, layer_decay, splits_by_axes=_is_hybrid(name))
    try:
        optimizer: torch.optim.Optimizer = create_optimizer_v2(
            groups, opt=name, lr=lr, weight_decay=weight_decay, **settings
        )
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"optimizer {name}: {error}") from error
    return optimizer


def _groups(
    network: nn.Module, weight_decay: float, layer_decay: float | None, *, splits_by_axes: bool
) -> list[dict[str, Any]]:
    backbone = getattr(network, "backbone", network)
    frozen = [p for p in network.parameters() if not p.requires_grad]
    network.requires_grad_(True)
    kept: dict[str, Any] = {"no_weight_decay_list": _undecayed(backbone)}
    if splits_by_axes:
        # Muon is made for hidden layers; what meets pixels or classes takes its Adam.
        kept["fallback_list"] = _ends(backbone)
    if layer_decay is None:
        groups = decay_groups(backbone, weight_decay, **kept)
    else:
        if not hasattr(backbone, "group_matcher"):
            raise ConfigError(
                "optimizer: layer_decay needs a network that names its layers in `group_matcher`",
                remedy="take layer_decay out, or write group_matcher as timm's networks do",
            )
        groups = layer_decay_groups(backbone, weight_decay, layer_decay=layer_decay, **kept)
    extra = {"use_fallback": True} if splits_by_axes else {}
    beside = network.children() if backbone is not network else ()
    for part in (child for child in beside if child is not backbone):
        # The head, and what a recipe adds: streams, a branch, further heads.
        groups += [group | extra for group in decay_groups(part, weight_decay)]
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    assert trained == {id(parameter) for parameter in network.parameters()}
    for parameter in frozen:
        parameter.requires_grad_(False)
    return [dict(group) for group in groups]


def _undecayed(backbone: nn.Module) -> set[str]:
    named = getattr(backbone, "no_weight_decay", None)
    return set(named()) if named is not None else set()


def _ends(backbone: nn.Module) -> tuple[str, ...]:
    first = next((name for name, p in backbone.named_parameters() if p.ndim > 1), None)
    classifier = getattr(backbone, "get_classifier", lambda: None)()
    last = {id(p) for p in classifier.parameters()} if isinstance(classifier, nn.Module) else set()
    ends = [name for name, p in backbone.named_parameters() if id(p) in last]
    return tuple(ends + ([first] if first else []))


def _is_hybrid(name: str) -> bool:
    return _class(name).__name__ == "Muon"


def _can_fuse(name: str, network: nn.Module) -> bool:
    if "fused" not in inspect.signature(_class(name)).parameters:
        return False
    return all(p.is_floating_point() and p.device.type != "meta" for p in network.parameters())


def _class(name: str) -> type[torch.optim.Optimizer]:
    found: type[torch.optim.Optimizer] = get_optimizer_class(name, bind_defaults=False)
    return found


def _package(name: str) -> str | None:
    """The package an optimiser needs: None: none, empty: it is installed."""
    for prefix, package in _PACKAGES.items():
        if name.startswith(prefix):
            return package if importlib.util.find_spec(package) is None else ""
    return None


def _check_name(name: str) -> None:
    if name in _UNFIT:
        raise ConfigError(f"optimizer {name} {_UNFIT[name]}", remedy=_COMMON)
    if name.startswith("lookahead_"):
        raise ConfigError(
            f"optimizer {name}: lookahead is a key of its own",
            remedy=f"use optimizer: {name.removeprefix('lookahead_')} with "
            "train.lookahead: {k: 5, alpha: 0.5}",
        )
    if name not in list_optimizers():
        near = difflib.get_close_matches(name.lower(), optimizers(), n=3, cutoff=0.5)
        raise ConfigError(
            f"optimizer {name!r} is unknown"
            + (f"; did you mean {' or '.join(map(repr, near))}?" if near else ""),
            remedy=_COMMON,
        )
    if package := _package(name):
        raise ConfigError(
            f"optimizer {name} needs the package {package}, which is not installed",
            remedy=f"install {package}, or choose another optimizer",
        )


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    known = [p for p in inspect.signature(_class(name)).parameters if p not in _SETTINGS]
    known += ["layer_decay"]
    problems = []
    for option in options:
        if option in known:
            continue
        if option in _SETTINGS:
            problems.append(f"optimizer {name}: {option} is set by train.{option}")
            continue
        near = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}"
        problems.append(f"optimizer {name}: unknown option {option!r}{hint}")
    decay = options.get("layer_decay", 1.0)
    if not isinstance(decay, float | int) or not 0 < decay <= 1:
        problems.append(
            f"optimizer {name}: layer_decay: a number above 0 and at most 1 is wanted, found "
            f"{decay!r}"
        )
    if problems:
        raise ConfigError(*problems)
