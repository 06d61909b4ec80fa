"""Mixing two samples of a batch: images and targets together, draws keyed by the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from foldwise.data.draws import Share

Alpha = Annotated[float, Field(gt=0)]
Mixed = tuple[torch.Tensor, torch.Tensor]


def mixup(
    images: torch.Tensor,
    target: torch.Tensor,
    rng: np.random.Generator,
    *,
    alpha: Alpha = 0.2,
    per_sample: bool = False,
) -> Mixed:
    """Weighted sums of pairs of images and of their targets, one weight per batch or sample.

    Args:
        images: (N, C, H, W) uint8.
        target: (N, C) or (N, O) float, soft.
        rng: of this step.
        alpha: both parameters of the Beta distribution of the weight.
        per_sample: whether each sample has a weight of its own.

    Returns:
        Float images in 0..255 and targets.

    Source: Zhang et al. (2018), "mixup: Beyond empirical risk minimization", ICLR.
    """
    if per_sample:
        drawn = torch.from_numpy(rng.beta(alpha, alpha, len(images))).float().to(images.device)
        partner = _partners(images, rng)
        pixels = images.float()
        mixed = torch.lerp(pixels[partner], pixels, drawn[:, None, None, None])
        return mixed, _soft(target, partner, drawn)
    share = float(rng.beta(alpha, alpha))
    partner = _partners(images, rng)
    pixels = images.float()
    return torch.lerp(pixels[partner], pixels, share), torch.lerp(target[partner], target, share)


def cutmix(
    images: torch.Tensor,
    target: torch.Tensor,
    rng: np.random.Generator,
    *,
    alpha: Alpha = 1.0,
    per_sample: bool = False,
) -> Mixed:
    """A rectangle of each image replaced by its partner's; targets by share of the area.

    Args:
        images: (N, C, H, W) uint8.
        target: (N, C) or (N, O) float, soft.
        rng: of this step.
        alpha: both parameters of the Beta distribution of the share that stays.
        per_sample: whether each sample has a rectangle of its own.

    Returns:
        uint8 images and targets.

    Source: Yun et al. (2019), "CutMix: Regularization strategy to train strong classifiers with
    localizable features", ICCV.
    """
    if per_sample:
        return _cutmix_each(images, target, rng, alpha)
    _, _, height, width = images.shape
    side = math.sqrt(1.0 - float(rng.beta(alpha, alpha)))
    h, w = int(height * side), int(width * side)
    centre_y, centre_x = int(rng.integers(height)), int(rng.integers(width))
    top, bottom = max(centre_y - h // 2, 0), min(centre_y + (h + 1) // 2, height)
    left, right = max(centre_x - w // 2, 0), min(centre_x + (w + 1) // 2, width)
    partner = _partners(images, rng)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[partner][:, :, top:bottom, left:right]
    share = 1.0 - (bottom - top) * (right - left) / (height * width)
    return mixed, torch.lerp(target[partner], target, share)


def either(
    images: torch.Tensor,
    target: torch.Tensor,
    rng: np.random.Generator,
    *,
    p: Share = 1.0,
    cutmix_share: Share = 0.5,
    mixup_alpha: Alpha = 0.2,
    cutmix_alpha: Alpha = 1.0,
    per_sample: bool = False,
) -> Mixed:
    """Cutmix or mixup, drawn for each batch; with probability 1 - `p` neither.

    Args:
        images: (N, C, H, W) uint8.
        target: (N, C) or (N, O) float, soft.
        rng: of this step.
        p: share of the batches that are mixed.
        cutmix_share: share of these that are mixed by cutmix.
        mixup_alpha: `alpha` of mixup.
        cutmix_alpha: `alpha` of cutmix.
        per_sample: of both.

    Returns:
        Images in 0..255, float or uint8, and targets.

    Source: timm's `Mixup` with `switch_prob`, as in Touvron et al. (2021), "Training
    data-efficient image transformers & distillation through attention", ICML.
    """
    if rng.random() >= p:
        return images, target
    if rng.random() < cutmix_share:
        return cutmix(images, target, rng, alpha=cutmix_alpha, per_sample=per_sample)
    return mixup(images, target, rng, alpha=mixup_alpha, per_sample=per_sample)


def _cutmix_each(
    images: torch.Tensor, target: torch.Tensor, rng: np.random.Generator, alpha: float
) -> Mixed:
    num, _, height, width = images.shape
    side = np.sqrt(1.0 - rng.beta(alpha, alpha, num))
    rows = _inside(height, (height * side).astype(int), rng.integers(height, size=num))
    columns = _inside(width, (width * side).astype(int), rng.integers(width, size=num))
    partner = _partners(images, rng)
    cut = torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]).to(images.device)
    mixed = torch.where(cut, images[partner], images)
    area = rows.sum(axis=1) * columns.sum(axis=1) / (height * width)
    kept = torch.from_numpy(1.0 - area).float().to(images.device)
    return mixed, _soft(target, partner, kept)


def _inside(side: int, lengths: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(N, side) bool: the pixels of N stretches, cut off at the image's rim."""
    places = np.arange(side)
    first, end = centres - lengths // 2, centres + (lengths + 1) // 2
    return np.asarray((places >= first[:, None]) & (places < end[:, None]))


def _partners(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.permutation(len(images))).to(images.device)


def _soft(target: torch.Tensor, partner: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """(N, O) targets mixed by each sample's (N,) share of its own."""
    return torch.lerp(target[partner], target, kept[:, None])


MIXES: dict[str, Callable[..., Mixed]] = {
    "mixup": mixup,
    "cutmix": cutmix,
    "either": either,
}
