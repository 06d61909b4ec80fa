"""One network with shared weights for each image of a sample, and how their features are joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from foldwise.errors import ConfigError


def concat(features: Tensor) -> Tensor:
    """Side by side: the order of the images counts."""
    return features.flatten(1)


def mean(features: Tensor) -> Tensor:
    """The mean over images, whose order does not count."""
    return features.mean(dim=1)


def largest(features: Tensor) -> Tensor:
    """The largest over images, whose order does not count."""
    return features.amax(dim=1)


def difference(features: Tensor) -> Tensor:
    """The first image's less the second's."""
    return features[:, 0] - features[:, 1]


def distance(features: Tensor) -> Tensor:
    """The absolute difference of two images, whose order does not count."""
    return difference(features).abs()


def product(features: Tensor) -> Tensor:
    """The product of two images, whose order does not count."""
    return features[:, 0] * features[:, 1]


@dataclass(frozen=True)
class Siamese:
    """How the images of a sample go through a network apart and come together again.

    Source: Bromley et al. (1993), "Signature verification using a Siamese time delay neural
    network", NIPS; for sets, Su et al. (2015), "Multi-view convolutional neural networks", ICCV.

    Attributes:
        num_images: V, of a sample.
        channels: C, of an image.
        joins: names in `JOINS`, side by side.
    """

    num_images: int
    channels: int
    joins: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.num_images < 2:
            raise ConfigError(
                "each sample has one image, so there is nothing to join",
                remedy="take it out, ask for input.frames, or name several images in "
                "competition.yaml (images.columns, images.extensions)",
            )
        wrong = [name for name in self.joins if name in _OF_PAIRS and self.num_images != 2]
        if wrong:
            raise ConfigError(
                f"{', '.join(wrong)} goes with two images, and a sample has {self.num_images}",
                remedy="use concat, mean or max, or choose two with input.images",
            )

    def apart(self, images: Tensor) -> Tensor:
        """(N, V * C, H, W) → (N * V, C, H, W), the images of a sample one after the other."""
        return images.reshape(-1, self.channels, *images.shape[2:])

    def join(self, features: Tensor) -> Tensor:
        """(N * V, D) of the images, as `apart` puts them → (N, J) of the samples."""
        each = features.reshape(-1, self.num_images, features.shape[1])
        return torch.cat([JOINS[name](each) for name in self.joins], dim=1)

    def num_joined(self, num_features: int) -> int:
        """J of D."""
        copies = [self.num_images if name == "concat" else 1 for name in self.joins]
        return num_features * sum(copies)


#: (N, V, D) → (N, D), or (N, V * D) for `concat`.
JOINS: dict[str, Callable[[Tensor], Tensor]] = {
    "concat": concat,
    "mean": mean,
    "max": largest,
    "difference": difference,
    "distance": distance,
    "product": product,
}
_OF_PAIRS = ("difference", "distance", "product")
