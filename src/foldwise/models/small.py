"""Small networks of our own that train from scratch on a CPU in minutes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foldwise.models.pooling import Mean

Norm = Literal["batch", "group"]
Widths = Annotated[tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...], Field(min_length=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
_GROUP_SIZE = 8


class _Stack(nn.Module):
    """Stem, stages, mean over the image, dropout, linear head."""

    def __init__(
        self, stem: nn.Module, stages: nn.Sequential, width: int, num_outputs: int, drop: float
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = stages
        self.global_pool = Mean()
        self.drop = nn.Dropout(drop)
        self.head = nn.Linear(width, num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Tensor:
        """(N, C, H, W) → the last map, (N, width, h, w); named as timm does."""
        maps: Tensor = self.stages(self.stem(images))
        return maps

    def forward_head(self, maps: Tensor) -> Tensor:
        """The last map → (N, O) logits."""
        logits: Tensor = self.head(self.drop(self.global_pool(maps)))
        return logits

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """Layers in order, in the words of timm's networks."""
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, normalised before each."""

    def __init__(self, width_in: int, width: int, stride: int, norm: Norm, drop_path: float):
        super().__init__()
        self.norm1 = _norm(norm, width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm2 = _norm(norm, width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        changes = stride != 1 or width_in != width
        self.shortcut = nn.Conv2d(width_in, width, 1, bias=False) if changes else None
        self.stride = stride
        self.drop_path = drop_path

    def forward(self, maps: Tensor) -> Tensor:
        start = functional.relu(self.norm1(maps))
        branch = self.conv2(functional.relu(self.norm2(self.conv1(start))))
        if self.drop_path and self.training:
            keep = torch.rand(len(maps), 1, 1, 1, device=maps.device) >= self.drop_path
            branch = branch * keep / (1.0 - self.drop_path)
        if self.shortcut is None:
            joined: Tensor = maps + branch
            return joined
        # Pooled first: a strided 1 x 1 convolution would look at a quarter of the pixels.
        small = functional.avg_pool2d(start, self.stride, ceil_mode=True)
        joined = self.shortcut(small) + branch
        return joined


def small_resnet(
    *,
    num_outputs: int,
    channels: int,
    widths: Widths = (16, 32, 64),
    depth: Annotated[int, Field(ge=1)] = 2,
    norm: Norm = "batch",
    drop: Rate = 0.0,
    drop_path: Rate = 0.0,
) -> nn.Module:
    """A pre-activation ResNet for images of about 28 to 96 px.

    Args:
        num_outputs: logits per image.
        channels: of the images.
        widths: channels of each stage; each but the first halves the image.
        depth: residual blocks per stage.
        norm: "batch", or "group" for batches of few images.
        drop: dropout before the head.
        drop_path: chance that the last block's branch is left out; less for earlier blocks.

    The default is ResNet-14 of the CIFAR family.

    Source: He et al. (2016), "Identity mappings in deep residual networks", ECCV.
    """
    total = len(widths) * depth
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    width_in = widths[0]
    for index in range(total):
        stage, place = divmod(index, depth)
        stride = 2 if stage > 0 and place == 0 else 1
        rate = drop_path * index / max(total - 1, 1)
        blocks[str(index)] = _Residual(width_in, widths[stage], stride, norm, rate)
        width_in = widths[stage]
    blocks["end"] = nn.Sequential(_norm(norm, width_in), nn.ReLU())
    stem = nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False)
    return _Stack(stem, nn.Sequential(blocks), width_in, num_outputs, drop)


def small_cnn(
    *,
    num_outputs: int,
    channels: int,
    widths: Widths = (32, 64, 128),
    depth: Annotated[int, Field(ge=1)] = 2,
    norm: Norm = "batch",
    drop: Rate = 0.0,
) -> nn.Module:
    """Plain convolutions with pooling, fast on a CPU for images of about 8 to 64 px.

    Args:
        num_outputs: logits per image.
        channels: of the images.
        widths: channels of each stage; each but the first sees a halved image.
        depth: convolutions per stage.
        norm: "batch", or "group" for batches of few images.
        drop: dropout before the head.
    """
    layers: list[nn.Module] = []
    width_in = channels
    for stage, width in enumerate(widths):
        for place in range(depth):
            parts: list[nn.Module] = []
            if stage > 0 and place == 0:
                parts.append(nn.MaxPool2d(2, ceil_mode=True))
            convolution = nn.Conv2d(width_in, width, 3, 1, 1, bias=False)
            layers.append(nn.Sequential(*parts, convolution, _norm(norm, width), nn.ReLU()))
            width_in = width
    return _Stack(layers[0], nn.Sequential(*layers[1:]), width_in, num_outputs, drop)


def _norm(kind: Norm, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if kind == "batch" else nn.GroupNorm(width // _GROUP_SIZE, width)


NETWORKS = {"small_resnet": small_resnet, "small_cnn": small_cnn}
