"""A shallow stream beside the network: colour and texture at full resolution."""

from __future__ import annotations

from torch import nn

from foldwise.models.pooling import Mean


class Shallow(nn.Sequential):
    """(N, C, H, W) normalised images → (N, width): convolutions at full size, and their mean.

    Args:
        channels: of the images.
        width: features it gives, and channels of its layers.
        depth: convolutions of 3 x 3.
    """

    def __init__(self, channels: int, *, width: int, depth: int) -> None:
        layers: list[nn.Module] = []
        for place in range(depth):
            before = channels if place == 0 else width
            layers += [
                nn.Conv2d(before, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        super().__init__(*layers, Mean())
        self.num_features = width
