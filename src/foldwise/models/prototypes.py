"""A head of class prototypes: outputs say how near features are to the centres of each class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Prototypes:
    """The prototypes of a head.

    Attributes:
        per_class: centres of each class, of which the nearest counts.
        sigma: squared distance at which the similarity is 1/e.
        embedding: axes of the space they lie in.
    """

    per_class: int = 1
    sigma: float = 1.0
    embedding: int = 64


class PrototypeHead(nn.Linear):
    """A linear embedding of the features, brought to length 1, and prototypes of classes in it.

    Distances then fit `sigma` whatever the scale and number of the features. Without the length,
    a rate that suits a linear layer carries embeddings so far that no similarity has a slope.

    Args:
        num_features: D.
        num_classes: C.
        prototypes: how many, how wide and where.

    Attributes:
        weight: (E, D) of the embedding.
        bias: (E,).
        prototypes: (C, M, E), of lengths about 1 at the start, and free.
        sigma: as given.

    Source: Hayat et al. (2019), "Gaussian Affinity for Max-Margin Class Imbalanced Learning",
    ICCV; there the prototypes lie among the network's own features, whose length is free.
    """

    def __init__(self, num_features: int, num_classes: int, prototypes: Prototypes) -> None:
        super().__init__(num_features, prototypes.embedding)
        self.out_features = num_classes
        self.sigma = prototypes.sigma
        shape = (num_classes, prototypes.per_class, prototypes.embedding)
        self.prototypes = nn.Parameter(torch.randn(shape) / math.sqrt(prototypes.embedding))

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) → (N, C) logarithms, at most 0, of the similarity to each class.

        The similarity is exp(-d² / sigma), d the distance to the nearest of its prototypes. A
        softmax of its logarithms is the posterior of Gaussians of one width and equal shares.
        """
        places = functional.normalize(super().forward(features).float(), dim=1)
        gaps = places[:, None, None, :] - self.prototypes
        return -gaps.square().sum(dim=-1).amin(dim=-1) / self.sigma

    def diversity(self) -> Tensor:
        """() how unequal the distances between prototypes are: the variance of their squares.

        The mean over pairs, of all classes, of (||a - b||² - mu)², mu the mean of ||a - b||².
        """
        places = self.prototypes.flatten(0, 1)
        squares = (places[:, None] - places).square().sum(dim=-1)
        apart = 1.0 - torch.eye(len(places), dtype=squares.dtype, device=squares.device)
        mu = (squares * apart).sum() / apart.sum()
        return ((squares - mu).square() * apart).sum() / apart.sum()
