"""Losses of masks: pixel by pixel, by what overlaps, and by sums of those.

All take logits (N, C, H, W) and either kind of target: (N, C, H, W) of 0 and 1, where classes
may overlap and each is read through a sigmoid, or (N, H, W) classes, of which a pixel has one and
which share a softmax. A pixel of 255 is not counted: it costs nothing and teaches nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foldwise.losses.boundary import boundary
from foldwise.losses.lovasz import lovasz
from foldwise.losses.mask_targets import MaskTarget, read_target
from foldwise.losses.multiclass import power
from foldwise.losses.terms import Loss

#: What a class costs in an image that has no pixel of it: as the formula says, or nothing.
Empty = Literal["counted", "skipped"]


def mask_bce(
    logits: Tensor,
    target: Tensor,
    *,
    pos_weight: Annotated[float, Field(gt=0)] = 1.0,
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> Tensor:
    """Binary cross-entropy of the sigmoid, mean over an image's counted pixels and classes.

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8, 1 where a class is, else 0; 255: not counted.
        pos_weight: weight of the pixels of a class; the others have 1.
        label_smoothing: share of each target that is moved to 1/2.

    Returns:
        (N,) float, at least 0; 0 for an image without counted pixels.

    Raises:
        ValueError: the shapes differ.
    """
    mask = read_target("mask_bce", logits, target)
    if mask.is_exclusive:
        raise ValueError("mask_bce needs a target (N, C, H, W); for (N, H, W): mask_cross_entropy")
    wanted = mask.wanted * (1.0 - label_smoothing) + label_smoothing / 2.0
    ones = pos_weight * wanted * functional.softplus(-mask.logits)
    zeros = (1.0 - wanted) * functional.softplus(mask.logits)
    return mask.pixel_mean(ones + zeros)


def mask_cross_entropy(
    logits: Tensor, target: Tensor, *, label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> Tensor:
    """Cross-entropy of the softmax, mean over an image's counted pixels.

    Args:
        logits: (N, C, H, W) float.
        target: (N, H, W) uint8 classes; 255: not counted.
        label_smoothing: share of the target spread evenly over all classes.

    Returns:
        (N,) float, at least 0; 0 for an image without counted pixels.

    Raises:
        ValueError: the shapes do not fit.
    """
    mask = read_target("mask_cross_entropy", logits, target)
    if not mask.is_exclusive:
        raise ValueError("mask_cross_entropy needs a target (N, H, W); for (N, C, H, W): mask_bce")
    wanted = mask.wanted * (1.0 - label_smoothing) + label_smoothing / logits.shape[1]
    losses = -(wanted * mask.logits.log_softmax(dim=1)).sum(dim=1, keepdim=True)
    return mask.pixel_mean(losses)


def mask_focal(
    logits: Tensor, target: Tensor, *, gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
) -> Tensor:
    """Cross-entropy, binary or of the softmax, that counts less the surer a pixel already is.

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8 of 0 and 1, or (N, H, W) uint8 classes; 255: not counted.
        gamma: power of what the right answer lacks; 0: plain cross-entropy.

    Returns:
        (N,) float, at least 0: mean over counted pixels, and over classes unless exclusive.

    Raises:
        ValueError: the shapes do not fit.

    Source: Lin et al. (2017), "Focal Loss for Dense Object Detection", ICCV.
    """
    mask = read_target("mask_focal", logits, target)
    if mask.is_exclusive:
        log_probs = mask.logits.log_softmax(dim=1)
        losses = -(mask.wanted * power(1.0 - log_probs.exp(), gamma) * log_probs)
        return mask.pixel_mean(losses.sum(dim=1, keepdim=True))
    probs = mask.logits.sigmoid()
    ones = mask.wanted * power(1.0 - probs, gamma) * functional.softplus(-mask.logits)
    zeros = (1.0 - mask.wanted) * power(probs, gamma) * functional.softplus(mask.logits)
    return mask.pixel_mean(ones + zeros)


def mask_dice(
    logits: Tensor,
    target: Tensor,
    *,
    smooth: Annotated[float, Field(gt=0)] = 1.0,
    empty: Empty = "counted",
) -> Tensor:
    """1 - Dice of the probabilities, of each class in each image; mean over classes.

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8 of 0 and 1, or (N, H, W) uint8 classes; 255: not counted.
        smooth: pixels added to the overlap and to the mean of both areas. The fewer, the more
            steeply the last false pixels of an image without the class cost.
        empty: as in `tversky`.

    Returns:
        (N,) float in [0, 1].

    Raises:
        ValueError: the shapes do not fit.

    Source: Milletari et al. (2016), "V-Net: Fully Convolutional Neural Networks for Volumetric
    Medical Image Segmentation", 3DV; without its squares.
    """
    mask = read_target("mask_dice", logits, target)
    return _mean_lack(mask, _tversky_index(mask, 0.5, 0.5, smooth), empty)


def tversky(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: Annotated[float, Field(ge=0)] = 0.3,
    beta: Annotated[float, Field(ge=0)] = 0.7,
    smooth: Annotated[float, Field(gt=0)] = 1.0,
    empty: Empty = "counted",
) -> Tensor:
    """1 - Tversky's index: Dice with weights of their own for false and for missed pixels.

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8 of 0 and 1, or (N, H, W) uint8 classes; 255: not counted.
        alpha: weight of false pixels; with both 1/2 it is Dice, with both 1 IoU.
        beta: weight of missed pixels.
        smooth: pixels added above and below.
        empty: a class without a pixel in an image is `counted` (its cost is that of its false
            pixels, f / (f + smooth) for Dice's f = area / 2, as in nnU-Net and MONAI) or
            `skipped`: the mean is over the classes that are there (as in
            segmentation_models_pytorch, but for what it divides by).

    Returns:
        (N,) float in [0, 1].

    Raises:
        ValueError: the shapes do not fit.

    Source: Salehi et al. (2017), "Tversky loss function for image segmentation using 3D fully
    convolutional deep networks", MLMI.
    """
    mask = read_target("tversky", logits, target)
    return _mean_lack(mask, _tversky_index(mask, alpha, beta, smooth), empty)


def focal_tversky(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: Annotated[float, Field(gt=0, le=4)] = 0.75,
    alpha: Annotated[float, Field(ge=0)] = 0.3,
    beta: Annotated[float, Field(ge=0)] = 0.7,
    smooth: Annotated[float, Field(gt=0)] = 1.0,
    empty: Empty = "counted",
) -> Tensor:
    """A power of each class's 1 - Tversky index; mean over classes.

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8 of 0 and 1, or (N, H, W) uint8 classes; 255: not counted.
        gamma: the power; below 1 what is nearly right still pulls, above 1 it rests. The
            authors' 1/gamma, theirs being 4/3.
        alpha: weight of false pixels, the authors' beta.
        beta: weight of missed pixels.
        smooth: pixels added above and below.
        empty: as in `tversky`.

    Returns:
        (N,) float in [0, 1].

    Raises:
        ValueError: the shapes do not fit.

    Source: Abraham and Khan (2019), "A Novel Focal Tversky loss function with improved Attention
    U-Net for lesion segmentation", ISBI.
    """
    mask = read_target("focal_tversky", logits, target)
    return _mean_lack(mask, _tversky_index(mask, alpha, beta, smooth), empty, gamma)


def _tversky_index(mask: MaskTarget, alpha: float, beta: float, smooth: float) -> Tensor:
    """(N, C) in [0, 1], of probabilities in place of answers."""
    probs = mask.probs.where(mask.counted, 0.0)
    hit = (probs * mask.wanted).sum(dim=(2, 3))
    false = (probs * (1.0 - mask.wanted)).sum(dim=(2, 3))
    missed = ((1.0 - probs) * mask.wanted).sum(dim=(2, 3))
    return (hit + smooth) / (hit + alpha * false + beta * missed + smooth)


def _mean_lack(mask: MaskTarget, index: Tensor, empty: Empty, gamma: float = 1.0) -> Tensor:
    """(N,) mean over classes of what the index lacks."""
    lack = 1.0 - index
    lack = lack if gamma == 1.0 else _bent(lack, gamma)
    return mask.class_mean(lack, mask.is_there if empty == "skipped" else None)


def _bent(lack: Tensor, gamma: float) -> Tensor:
    """`lack ** gamma` in [0, 1], 0 at 0, with a finite slope there."""
    least = float(torch.finfo(lack.dtype).eps ** gamma)
    return (power(lack, gamma) - least) / (1.0 - least)


LOSSES: dict[str, Loss] = {
    "mask_bce": mask_bce,
    "mask_cross_entropy": mask_cross_entropy,
    "mask_dice": mask_dice,
    "mask_focal": mask_focal,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
    "boundary": boundary,
}
