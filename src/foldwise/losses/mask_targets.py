"""Truths of masks as losses read them: what is wanted of each pixel, and which pixels count."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from foldwise.masks import IGNORED


@dataclass(frozen=True)
class MaskTarget:
    """Logits beside what is wanted of them.

    Attributes:
        logits: (N, C, H, W) float32, or float64 where they came so: half precision cannot sum
            over the pixels of an image.
        wanted: (N, C, H, W) in the type of the logits, 1 where a class is, else 0; 0 where not
            counted.
        counted: (N, C, H, W) bool, or (N, 1, H, W) for exclusive classes.
        is_exclusive: whether each pixel has one class; else every class is a question of its own.
    """

    logits: Tensor
    wanted: Tensor
    counted: Tensor
    is_exclusive: bool

    @property
    def probs(self) -> Tensor:
        """(N, C, H, W) softmax over exclusive classes, else the sigmoid of each."""
        return self.logits.softmax(dim=1) if self.is_exclusive else self.logits.sigmoid()

    @property
    def is_there(self) -> Tensor:
        """(N, C) bool: the image has a pixel of the class."""
        return self.wanted.amax(dim=(2, 3)) > 0

    def pixel_mean(self, losses: Tensor) -> Tensor:
        """(N,) mean of the counted ones of (N, C or 1, H, W) losses; 0 where none counts.

        Args:
            losses: as many to a pixel as `counted` has.
        """
        num = self.counted.sum(dim=(1, 2, 3)).clamp_min(1)
        # Not times 0, which would keep what is infinite.
        return losses.where(self.counted, 0.0).sum(dim=(1, 2, 3)) / num

    def class_mean(self, losses: Tensor, among: Tensor | None = None) -> Tensor:
        """(N,) mean of (N, C) losses over classes; 0 for an image without any of `among`.

        Args:
            losses: one a class.
            among: (N, C) bool, the classes that count; None: all.
        """
        if among is None:
            return losses.mean(dim=1)
        return losses.where(among, 0.0).sum(dim=1) / among.sum(dim=1).clamp_min(1)


def read_target(name: str, logits: Tensor, target: Tensor) -> MaskTarget:
    """What is wanted, for either kind of target.

    Args:
        name: the loss's, for the message.
        logits: (N, C, H, W) float.
        target: (N, C, H, W), 1 where a class is, else 0; or (N, H, W) classes below C. 255
            (`IGNORED`) in either is not counted.

    Raises:
        ValueError: shapes do not fit.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    if logits.ndim == 4 and target.shape == logits.shape:
        counted = target != IGNORED
        return MaskTarget(wide, target.to(wide.dtype).where(counted, 0.0), counted, False)
    if logits.ndim == 4 and target.shape == (len(logits), *logits.shape[2:]):
        counted = (target != IGNORED)[:, None]
        classes = target[:, None].long().where(counted, 0)
        wanted = torch.zeros_like(wide).scatter_(1, classes, counted.to(wide.dtype))
        return MaskTarget(wide, wanted, counted, True)
    raise ValueError(
        f"{name} needs logits (N, C, H, W) and a target (N, C, H, W) or (N, H, W), "
        f"found {tuple(logits.shape)} and {tuple(target.shape)}"
    )
