"""Attention branch: a side classifier whose map weighs what the network's own head looks at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from foldwise.errors import ConfigError


class AttentionBranch(nn.Module):
    """The last map of a network to an attention map and to logits of its own.

    At first the attention is 0.5 everywhere, whatever the image, so a head can be solved on the
    features that follow.

    Args:
        num_features: C, of the network's last map.
        num_outputs: O, logits per image.

    Source: Fukui, Hirakawa, Yamashita and Fujiyoshi (2019), "Attention branch network: Learning
    of attention mechanism for visual explanation", CVPR. There the branch stands before the last
    stage of a ResNet; here it stands behind it, where every network can take it.
    """

    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(num_features, num_outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(num_outputs)
        self.classify = nn.Conv2d(num_outputs, num_outputs, 1)
        self.look = nn.Conv2d(num_outputs, 1, 3, padding=1, bias=False)
        self.look_norm = nn.BatchNorm2d(1)
        nn.init.zeros_(self.look_norm.weight)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) → (N, 1, h, w) attention in [0, 1], (N, O) logits."""
        found = torch.relu(self.norm(self.narrow(maps)))
        attention = torch.sigmoid(self.look_norm(self.look(found)))
        return attention, self.classify(found).mean(dim=(2, 3))


def attention_branch(backbone: nn.Module, num_outputs: int, images: Tensor) -> AttentionBranch:
    """A branch for a network whose head has been taken off.

    Args:
        backbone: in eval mode; images → features.
        num_outputs: logits per image.
        images: (1, C, H, W) to try it with, on the backbone's device.

    Raises:
        ConfigError: the network does not say where its last map is, or has none.
    """
    name = type(backbone).__name__
    features: Any = getattr(backbone, "forward_features", None)
    head: Any = getattr(backbone, "forward_head", None)
    remedy = "take model.branch out, or choose a convolutional network of timm's or small_resnet"
    if features is None or head is None:
        raise ConfigError(
            f"model.branch: {name} has no forward_features and forward_head, so an attention "
            "branch finds no map in it",
            remedy=remedy,
        )
    with torch.no_grad():
        maps = features(images)
        if not isinstance(maps, Tensor) or maps.ndim != 4 or min(maps.shape[2:]) < 2:
            found = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ConfigError(
                f"model.branch: {name} gives {found} before its head, while an attention branch "
                "needs a map (1, channels, height, width) of 2 x 2 places at least",
                remedy=f"{remedy}; a larger input.size gives larger maps",
            )
        is_whole = torch.equal(head(maps), backbone(images))
    if not is_whole or maps.shape[1] != getattr(backbone, "num_features", maps.shape[1]):
        raise ConfigError(
            f"model.branch: {name} does more than forward_head after forward_features, or has "
            "its channels last, which an attention branch cannot take",
            remedy=remedy,
        )
    return AttentionBranch(maps.shape[1], num_outputs).to(images.device)
