"""Multi-sample dropout: a linear head that trains on several dropped copies of its features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiSampleLinear(nn.Linear):
    """A linear layer; in training the mean of its logits over dropped copies of the features.

    In eval mode, and in what is stored, it is an ordinary linear layer.

    Args:
        linear: gives weight and bias, which are shared.
        samples: dropped copies.
        p: chance that a feature is left out of a copy.

    Source: Inoue (2019), "Multi-sample dropout for accelerated training and better
    generalization", arXiv:1905.09788; there the losses of the copies are averaged, here, as is
    usual in competitions, their logits, which works with any loss.
    """

    def __init__(self, linear: nn.Linear, *, samples: int, p: float) -> None:
        with torch.device("meta"):
            super().__init__(linear.in_features, linear.out_features)
        self.weight, self.bias = linear.weight, linear.bias
        self.samples = samples
        self.p = p

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) → (N, O) logits."""
        if not self.training:
            return super().forward(features)
        # The layer is linear, so one pass over the mean of the copies gives the mean of logits.
        kept = torch.ones_like(features).expand(self.samples, *features.shape)
        copies = features * functional.dropout(kept, self.p).mean(dim=0)
        return super().forward(copies)
