"""Mixing two samples of a batch: images and targets together, draws keyed by the step."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch


def mixup(
    images: torch.Tensor, target: torch.Tensor, rng: np.random.Generator, *, alpha: float = 0.2
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sums of pairs of images and of their targets, one weight per batch.

    Args:
        images: (N, C, H, W) uint8.
        target: (N, C) or (N, O) float, soft.
        rng: of this step.
        alpha: both parameters of the Beta distribution of the weight.

    Returns:
        Float images in 0..255 and targets.

    Source: Zhang et al. (2018), "mixup: Beyond empirical risk minimization", ICLR.
    """
    share = float(rng.beta(alpha, alpha))
    partner = torch.from_numpy(rng.permutation(len(images))).to(images.device)
    pixels = images.float()
    return torch.lerp(pixels[partner], pixels, share), torch.lerp(target[partner], target, share)


def cutmix(
    images: torch.Tensor, target: torch.Tensor, rng: np.random.Generator, *, alpha: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """A rectangle of each image replaced by its partner's; targets by share of the area.

    Source: Yun et al. (2019), "CutMix: Regularization strategy...", ICCV.
    """
    _, _, height, width = images.shape
    side = math.sqrt(1.0 - float(rng.beta(alpha, alpha)))
    h, w = int(height * side), int(width * side)
    centre_y, centre_x = int(rng.integers(height)), int(rng.integers(width))
    top, bottom = max(centre_y - h // 2, 0), min(centre_y + (h + 1) // 2, height)
    left, right = max(centre_x - w // 2, 0), min(centre_x + (w + 1) // 2, width)
    partner = torch.from_numpy(rng.permutation(len(images))).to(images.device)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[partner][:, :, top:bottom, left:right]
    share = 1.0 - (bottom - top) * (right - left) / (height * width)
    return mixed, torch.lerp(target[partner], target, share)


MIXES: dict[str, Callable[..., tuple[torch.Tensor, torch.Tensor]]] = {
    "mixup": mixup,
    "cutmix": cutmix,
}
