"""A network: normalisation inside, features before the head, the head an ordinary layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from foldwise.errors import ConfigError
from foldwise.models.building import Order, build_own, build_timm
from foldwise.models.heads import SharedHead
from foldwise.models.small import NETWORKS
from foldwise.models.weights import Weights

#: How images and weights lie in memory: channel by channel, or pixel by pixel.
Layout = Literal["channels_first", "channels_last"]

_FORMATS = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}


class Network(nn.Module):
    """Images in 0..255 to logits.

    The statistics that normalise the images are saved with the weights, so inference cannot
    forget them.

    Args:
        backbone: normalised images → features if `head` is given, else → logits.
        head: features → logits, or None where the network's end is not one linear layer.
        mean: of the images, channels in 0..1.
        std: the same.
        offset: (O,) added to the logits, saved with the weights; None: there is none.

    Attributes:
        backbone: as given.
        head: as given.
        mean: (C,) float buffer.
        std: (C,) float buffer.
        offset: (O,) float buffer, or None.
        layout: how it computes; see `set_layout`.
    """

    mean: Tensor
    std: Tensor
    offset: Tensor | None
    head: nn.Linear
    layout: Layout

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Linear | None,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        offset: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_module("head", head)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.register_buffer("offset", offset)
        self.set_layout("channels_last")

    @property
    def has_features(self) -> bool:
        """Whether there are features that one linear layer turns into logits."""
        return self._modules["head"] is not None

    @property
    def num_features(self) -> int:
        """Length of a sample's features.

        Raises:
            ConfigError: there are none.
        """
        self._need_features()
        return self.head.in_features

    def normalize(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in 0..255, uint8 or float → float32 of mean 0 and spread 1."""
        mean, std = (255.0 * x.view(1, -1, 1, 1) for x in (self.mean, self.std))
        found = torch.sub(images, mean).div_(std)
        return found.contiguous(memory_format=_FORMATS[self.layout])

    def set_layout(self, layout: Layout) -> None:
        """Lay weights and images out in memory; another one may give other last bits."""
        self.layout = layout
        self.to(memory_format=_FORMATS[layout])

    def features(self, images: Tensor) -> Tensor:
        """What the head sees.

        Args:
            images: (N, C, H, W) in 0..255, uint8 or float.

        Returns:
            (N, D) float.

        Raises:
            ConfigError: the network's end is not one linear layer.
        """
        self._need_features()
        features: Tensor = self.backbone(self.normalize(images))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in 0..255, uint8 or float → (N, O) logits."""
        outputs: Tensor = self.backbone(self.normalize(images))
        logits: Tensor = self.head(outputs) if self.has_features else outputs
        return logits if self.offset is None else logits + self.offset

    def _need_features(self) -> None:
        if not self.has_features:
            raise ConfigError(
                f"{type(self.backbone).__name__} ends in something other than one linear layer, "
                "so it has no features for a solved head",
                remedy="use freeze: none and head_start: false, or another network",
            )


def build(
    *,
    name: str,
    num_outputs: int,
    channels: int = 3,
    size: int,
    drop: float = 0.0,
    drop_path: float = 0.0,
    weights: Weights | None = None,
    options: Mapping[str, Any] | None = None,
    code: Path | None = None,
    with_offset: bool = False,
    shares_weights: bool = False,
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
        channels: of the images.
        size: side of the images in pixels; the network is tried at it.
        drop: dropout before the head.
        drop_path: stochastic depth.
        weights: from `resolve`; another number of classes or channels is seen to.
        options: further options of the network.
        code: folder of the competition's own code.
        with_offset: whether numbers can be added to the logits later; they start at 0.
        shares_weights: whether the head has one weight per feature for all outputs.

    Raises:
        ConfigError: unknown name (nearest given) or option, a size the network cannot take,
            weights that do not fit, or no head whose weights could be shared.
    """
    order = Order(name, num_outputs, channels, size, drop, drop_path, dict(options or {}), code)
    is_own = name in NETWORKS or ":" in name
    built = build_own(order, weights) if is_own else build_timm(order, weights)
    mean, std = built.statistics
    if weights is not None and weights.mean is not None and weights.std is not None:
        mean, std = weights.mean, weights.std
    head = built.head
    if shares_weights:
        if head is None:
            raise ConfigError(
                f"network {name} ends in something other than one linear layer, so its outputs "
                "cannot share weights",
                remedy="use another formulation, or another network",
            )
        head = SharedHead(head.in_features, num_outputs)
    return Network(
        built.backbone,
        head,
        mean=fit_channels(mean, channels),
        std=fit_channels(std, channels),
        offset=torch.zeros(num_outputs) if with_offset else None,
    )


def fit_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Statistics of other channels: the mean for one channel, repeated in turn for more.

    >>> fit_channels((0.25, 0.5, 0.75), 1), fit_channels((0.25, 0.5, 0.75), 4)
    ((0.5,), (0.25, 0.5, 0.75, 0.25))
    """
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[index % len(values)] for index in range(channels))
