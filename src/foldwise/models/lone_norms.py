"""Batch norm behind a mean over whole images, which goes on where a batch has one image."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn
from torch.nn import functional


class LoneBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that in training takes a single value of each channel by its running statistics.

    A single value has no spread, and torch refuses it. It comes where a decoder looks at means of
    whole images, and a batch, or the last part of one that is cut, has one image. Everything else
    is as torch does it, and weights are named as there.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> Self:
        """With another's options and weights."""
        made = cls(
            norm.num_features,
            eps=norm.eps,
            momentum=norm.momentum,
            affine=norm.affine,
            track_running_stats=norm.track_running_stats,
        )
        made.load_state_dict(norm.state_dict())
        return made

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → the same, normalised."""
        if self.training and self.track_running_stats and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


def lone_norms(module: nn.Module) -> None:
    """Put such layers in the place of a module's batch norms.

    Args:
        module: changed in place.
    """
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            setattr(module, name, LoneBatchNorm2d.of(child))
        else:
            lone_norms(child)
