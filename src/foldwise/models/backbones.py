"""Builds timm's networks and one's own, checked before they cost anything."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg, get_pretrained_cfg
from torch import Tensor, nn

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.models.heads import classifier_name, num_head_features, split_head, take_head
from foldwise.models.loading import (
    as_saved_elsewhere,
    load_own,
    mismatch,
    timm_overlay,
    without_joined_head,
)
from foldwise.models.names import check_name
from foldwise.models.packages import Channels
from foldwise.models.pooling import set_pool
from foldwise.models.small import NETWORKS
from foldwise.models.weights import Weights

Statistics = tuple[Channels, Channels]
_PLAIN: Statistics = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
# Said elsewhere in the recipe; if given twice, one of the two would be silently wrong.
_ELSEWHERE = {
    "num_classes": "the task",
    "features_only": "the task",
    "in_chans": "input.channels",
    "img_size": "input.size",
    "drop_rate": "model.drop",
    "drop_path_rate": "model.drop_path",
    "pretrained": "model.pretrained",
    "pretrained_cfg": "model.pretrained",
    "pretrained_cfg_overlay": "model.pretrained",
    "checkpoint_path": "model.pretrained",
    "cache_dir": "model.pretrained",
}
_OPTIONAL = ("size", "drop", "drop_path")


@dataclass(frozen=True)
class Order:
    """What a network is to be.

    Attributes:
        name: of timm, of `NETWORKS`, or module:attribute.
        num_outputs: logits per image.
        channels: of the images.
        size: side of the images in pixels.
        drop: dropout before the head.
        drop_path: stochastic depth.
        options: further options.
        code: folder of the competition's own code.
        pool: by name, in the place of the network's own; None: its own.
        gives_maps: whether it gives logits for every pixel.
    """

    name: str
    num_outputs: int
    channels: int
    size: int
    drop: float
    drop_path: float
    options: Mapping[str, Any]
    code: Path | None
    pool: parts.Spec | None = None
    gives_maps: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the logits of one image."""
        maps = (self.size, self.size) if self.gives_maps else ()
        return (1, self.num_outputs, *maps)

    @property
    def image(self) -> Tensor:
        """(1, C, S, S) zeros, on the current default device."""
        return torch.zeros(1, self.channels, self.size, self.size)

    @property
    def grey(self) -> Tensor:
        """(1, C, S, S) from -1 to 1, dark to light, on the current default device."""
        return torch.linspace(-1.0, 1.0, self.size).expand(1, self.channels, self.size, self.size)


@dataclass(frozen=True)
class Built:
    """A network in two.

    Attributes:
        backbone: images → features if there is a head, else → logits.
        head: features → logits, or None.
        statistics: (mean, std) of the images it was or is to be trained on, channels in 0..1.
    """

    backbone: nn.Module
    head: nn.Linear | None
    statistics: Statistics


def build_timm(order: Order, weights: Weights | None) -> Built:
    """A timm network; raises ConfigError as `building.build` says."""
    check_name(order.name, own=tuple(NETWORKS))
    config = get_pretrained_cfg(order.name) or PretrainedCfg()
    keywords = timm_keywords(order, config)
    # On the meta device nothing is allocated: a wrong option or size costs no time.
    with torch.device("meta"):
        sketch = _create(order, keywords).eval()
        _try(order, sketch)
        _set_pool(order, sketch)
        classifier, num_features = classifier_name(sketch), num_head_features(sketch)
        splits = split_head(sketch, order.image) is not None
    statistics = (tuple(config.mean), tuple(config.std))
    of_pool: dict[str, Tensor] = {}
    if weights is None:
        network = _create(order, keywords)
    else:
        tensors, own_statistics = as_saved_elsewhere(weights.read(), classifier)
        tensors = without_joined_head(tensors, classifier, num_features)
        tensors, of_pool = _without_pool(order, tensors)
        statistics = own_statistics or statistics
        overlay = timm_overlay(tensors, config, sketch, classifier)
        network = _load(order, keywords, overlay, weights.source)
    _set_pool(order, network, of_pool, weights)
    return Built(network, take_head(network) if splits else None, statistics)


def build_own(order: Order, weights: Weights | None) -> Built:
    """A network of `NETWORKS` or of the user; raises ConfigError as `building.build` says."""
    network = _call(order)
    training = network.training
    network.eval()
    _try(order, network)
    classifier = classifier_name(network)
    statistics = _PLAIN
    of_pool: dict[str, Tensor] = {}
    if weights is not None:
        tensors, own_statistics = as_saved_elsewhere(weights.read(), classifier)
        tensors = without_joined_head(tensors, classifier, num_head_features(network))
        tensors, of_pool = _without_pool(order, tensors)
        statistics = own_statistics or statistics
        load_own(network, tensors, classifier, weights.source)
    _set_pool(order, network, of_pool, weights)
    head = split_head(network, order.image)
    return Built(network.train(training), head, statistics)


def _set_pool(
    order: Order,
    network: nn.Module,
    tensors: Mapping[str, Tensor] | None = None,
    weights: Weights | None = None,
) -> None:
    """Put the pool asked for in its place, with its weights if a file has any."""
    if order.pool is None:
        return
    training = network.training
    set_pool(network.eval(), order.pool, order.image)
    network.train(training)
    if tensors and weights is not None:
        try:
            network.load_state_dict({**network.state_dict(), **tensors})
        except RuntimeError as error:
            raise mismatch(weights.source, error) from error


def _without_pool(
    order: Order, tensors: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors without and of the pool that is put in once the rest is loaded."""
    names = {name for name in tensors if order.pool is not None and "global_pool.pool." in name}
    rest = {name: value for name, value in tensors.items() if name not in names}
    return rest, {name: tensors[name] for name in names}


def timm_keywords(order: Order, config: PretrainedCfg) -> dict[str, Any]:
    """What timm is told beside the number of classes.

    Raises:
        ConfigError: an option of the network is said elsewhere in the recipe.
    """
    elsewhere = _ELSEWHERE if order.pool is None else {**_ELSEWHERE, "global_pool": "model.pool"}
    twice = [
        f"model.options.{key}: is set by {elsewhere[key]}"
        for key in order.options
        if key in elsewhere
    ]
    if twice:
        raise ConfigError(*twice)
    keywords: dict[str, Any] = {"in_chans": order.channels, **order.options}
    # Only if asked for: not all networks know the two.
    if order.drop:
        keywords["drop_rate"] = order.drop
    if order.drop_path:
        keywords["drop_path_rate"] = order.drop_path
    if config.fixed_input_size:
        keywords["img_size"] = order.size
    return keywords


def _create(order: Order, keywords: Mapping[str, Any]) -> nn.Module:
    settings = {"num_classes": order.num_outputs, **keywords}
    try:
        network: nn.Module = timm.create_model(order.name, pretrained=False, **settings)
    except TypeError as error:
        raise _unknown_option(order, error) from error
    except (ValueError, AssertionError, RuntimeError, KeyError) as error:
        raise ConfigError(
            f"network {order.name} cannot be built with "
            f"{', '.join(f'{k}={v}' for k, v in settings.items())}: {first_line(error)}"
        ) from error
    return network


def _load(
    order: Order, keywords: Mapping[str, Any], overlay: dict[str, Any], source: str
) -> nn.Module:
    """A timm network with the weights, its head new if the number of classes differs."""
    num_classes = overlay["num_classes"]
    settings = {**keywords, "num_classes": num_classes, "pretrained_cfg_overlay": overlay}
    try:
        network: Any = timm.create_model(order.name, pretrained=True, **settings)
    except (RuntimeError, KeyError, ValueError, AssertionError) as error:
        raise mismatch(source, error) from error
    network.pretrained_cfg.pop("state_dict", None)
    network._model_args.pop("pretrained_cfg_overlay", None)
    if num_classes != order.num_outputs:
        network.reset_classifier(order.num_outputs)
    built: nn.Module = network
    return built


def _call(order: Order) -> nn.Module:
    function = parts.find(NETWORKS, order.name, what="network", code=order.code)
    known = inspect.signature(function).parameters
    optional = {name: getattr(order, name) for name in _OPTIONAL}
    ignored = [name for name in ("drop", "drop_path") if optional[name] and name not in known]
    if ignored:
        raise ConfigError(
            *(
                f"network {order.name} has no {name}, model.{name} cannot be honoured"
                for name in ignored
            ),
            remedy="take it out, or give the function a keyword of that name",
        )
    given = {"num_outputs": order.num_outputs, "channels": order.channels, **order.options}
    given |= {name: value for name, value in optional.items() if name in known}
    checked = parts.checked_options(function, given, what=f"network {order.name}")
    network = function(**checked)
    if not isinstance(network, nn.Module):
        raise ConfigError(f"network {order.name} gave {type(network).__name__}, not an nn.Module")
    return network


def _try(order: Order, network: nn.Module) -> None:
    try:
        with torch.no_grad():
            logits = network(order.image)
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        raise ConfigError(
            f"network {order.name} cannot take {order.channels} channels of "
            f"{order.size} x {order.size} px: {first_line(error)}",
            remedy="change input.size or the network",
        ) from error
    if not isinstance(logits, Tensor) or logits.shape != order.shape:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ConfigError(
            f"network {order.name} gives {found} for one image, {order.shape} is needed"
        )


def _unknown_option(order: Order, error: TypeError) -> ConfigError:
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if found is None:
        return ConfigError(f"network {order.name}: {first_line(error)}")
    option = found[1]
    if option in ("drop_rate", "drop_path_rate"):
        key = _ELSEWHERE[option]
        return ConfigError(f"network {order.name} knows no {option}, {key} cannot be honoured")
    known = inspect.signature(type(timm.create_model(order.name))).parameters
    near = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}"
    return ConfigError(f"network {order.name}: unknown option {option!r}{hint}")


def first_line(error: Exception) -> str:
    """What an error says first, or its kind."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
