"""Networks by name, with their starting weights and what is added to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions, joined, num_joined, widened
from foldwise.models.attention_branch import attention_branch
from foldwise.models.backbones import Built, Order, build_own, build_timm
from foldwise.models.heads import SharedHead
from foldwise.models.loading import num_channels
from foldwise.models.multi_sample import MultiSampleLinear
from foldwise.models.network import Network
from foldwise.models.prototypes import PrototypeHead
from foldwise.models.shallow import Shallow
from foldwise.models.small import NETWORKS
from foldwise.models.stacking_images import widen_first_layer
from foldwise.models.weights import Weights


def build(
    *,
    name: str,
    num_outputs: int,
    channels: int = 3,
    num_images: int = 1,
    size: int,
    drop: float = 0.0,
    drop_path: float = 0.0,
    weights: Weights | None = None,
    options: Mapping[str, Any] | None = None,
    code: Path | None = None,
    with_offset: bool = False,
    shares_weights: bool = False,
    additions: Additions | None = None,
) -> Network:
    """A network by name, with its starting weights; nothing is downloaded.

    A network of one's own is `module:attribute`, a callable
    `f(*, num_outputs, channels, **options) -> nn.Module` that takes normalised float images
    (N, C, H, W) and gives (N, num_outputs). It may also take `size`, `drop`, `drop_path`. If its
    last step is an `nn.Linear` that is its attribute `head`, or that `get_classifier()` returns,
    its features can be used; it need do nothing for it.

    Args:
        name: of timm, of `NETWORKS`, or module:attribute.
        num_outputs: logits per image.
        channels: of an image.
        num_images: of a sample; stacked as channels unless `additions` has a Siamese network.
        size: side of the images in pixels; the network is tried at it.
        drop: dropout before the head.
        drop_path: stochastic depth.
        weights: from `resolve`; another number of classes or channels is seen to.
        options: further options of the network.
        code: folder of the competition's own code.
        with_offset: whether numbers can be added to the logits later; they start at 0.
        shares_weights: whether the head has one weight per feature for all outputs.
        additions: what is added to the network of that name.

    Raises:
        ConfigError: unknown name (nearest given) or option, a size the network cannot take,
            weights that do not fit, no head whose weights could be shared, or a network that
            cannot take an addition.
    """
    added = additions or Additions()
    stacked = num_images if added.siamese is None else 1
    order = Order(
        name,
        num_outputs,
        channels * stacked,
        size,
        drop,
        drop_path,
        dict(options or {}),
        code,
        added.pool,
    )
    built = build_whole(order, weights, stacked)
    mean, std = built.statistics
    offset = torch.zeros(num_outputs) if with_offset else None
    if not added.need_features:
        head = _shared(built.head, order) if shares_weights else built.head
        return Network(built.backbone, head, mean=mean, std=std, offset=offset)
    if shares_weights:
        raise ConfigError(
            f"{', '.join(added.need_features)}: the formulation's outputs share one set of "
            "weights, which nothing can join or stand around",
            remedy="take it out, or use another formulation (ordinal: corn, borders)",
        )
    return _with_additions(built, added, order, mean=mean, std=std, offset=offset)


def build_whole(order: Order, weights: Weights | None, stacked: int) -> Built:
    """The network of a name, nothing added to it, with its starting weights.

    Args:
        order: what it is to be; its channels are those of all stacked images.
        weights: from `resolve`; those that know one image are spread over the stacked ones.
        stacked: images whose channels lie one after the other.

    Raises:
        ConfigError: as `build` says.
    """
    # Weights of a network that took as many images already know them apart.
    is_whole = stacked > 1 and weights is not None and num_channels(weights) == order.channels
    built = _built(order, weights, 1 if is_whole else stacked)
    mean, std = built.statistics
    if weights is not None and weights.mean is not None and weights.std is not None:
        mean, std = weights.mean, weights.std
    if not is_whole:
        channels = order.channels // stacked
        mean, std = (fit_channels(values, channels) * stacked for values in (mean, std))
    return replace(built, statistics=(mean, std))


def _built(order: Order, weights: Weights | None, stacked: int) -> Built:
    """The network, its first layer spread over stacked images where weights know one of them."""
    make = build_own if order.name in NETWORKS or ":" in order.name else build_timm
    if stacked == 1 or weights is None:
        return make(order, weights)
    single = replace(order, channels=order.channels // stacked)
    built = make(single, weights)
    widen_first_layer(built.backbone, single.grey, stacked)
    return built


def _shared(head: nn.Linear | None, order: Order) -> SharedHead:
    if head is None:
        raise ConfigError(
            f"network {order.name} ends in something other than one linear layer, so its outputs "
            "cannot share weights",
            remedy="use another formulation, or another network",
        )
    return SharedHead(head.in_features, order.num_outputs)


def _with_additions(
    built: Built,
    added: Additions,
    order: Order,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    offset: Tensor | None,
) -> Network:
    """The network with what joins its features, or stands around its head."""
    if built.head is None:
        raise ConfigError(
            f"{', '.join(added.need_features)}: {type(built.backbone).__name__} ends in something "
            "other than one linear layer, so there are no features to join, drop or share",
            remedy="take it out, or choose another network",
        )
    branch = shallow = None
    if added.branch and added.siamese is not None:
        raise ConfigError(
            "model.branch: an attention branch looks at the map of one image, and model.siamese "
            "has one of each",
            remedy="take one of the two out",
        )
    if added.branch:
        training = built.backbone.training
        branch = attention_branch(built.backbone.eval(), order.num_outputs, order.grey)
        built.backbone.train(training)
    if added.shallow is not None:
        width, depth = added.shallow
        shallow = Shallow(order.channels, width=width, depth=depth)
    beside = [] if added.columns is None else [added.columns.num_features]
    if shallow is not None:
        beside.append(num_joined(shallow.num_features, added.siamese))
    head = widened(joined(built.head, added.siamese), sum(beside))
    if added.multi_sample is not None:
        samples, p = added.multi_sample
        head = MultiSampleLinear(head, samples=samples, p=p)
    if added.prototypes is not None:
        head = PrototypeHead(head.in_features, order.num_outputs, added.prototypes)
    return Network(
        built.backbone,
        head,
        mean=mean,
        std=std,
        offset=offset,
        columns=added.columns,
        shallow=shallow,
        branch=branch,
        auxiliary=[nn.Linear(head.in_features, num) for num in added.auxiliary],
        siamese=added.siamese,
    )


def fit_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Statistics of other channels: the mean for one channel, repeated in turn for more.

    >>> fit_channels((0.25, 0.5, 0.75), 1), fit_channels((0.25, 0.5, 0.75), 4)
    ((0.5,), (0.25, 0.5, 0.75, 0.25))
    """
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[index % len(values)] for index in range(channels))
