"""The Lovász extension of 1 - IoU: the nearest convex stand-in for the score itself."""

from __future__ import annotations

import torch
from torch import Tensor

from foldwise.losses.mask_targets import MaskTarget, read_target


def lovasz(logits: Tensor, target: Tensor) -> Tensor:
    """Lovász hinge of overlapping classes, Lovász-Softmax of exclusive ones; mean over classes.

    A pixel weighs what the IoU of its class in its image loses if it, too, is wrong, beside all
    that are more wrong.

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8 of 0 and 1, or (N, H, W) uint8 classes; 255: not counted.

    Returns:
        (N,) float, at least 0. The hinge is over all classes, and a class that is not in the
        image costs the error of its surest pixel, as one false pixel makes the IoU 0. The softmax
        one, at most 1, is over the classes in the image. So does the authors' code, image by image.

    Raises:
        ValueError: the shapes do not fit.

    Source: Berman, Rannen Triki and Blaschko (2018), "The Lovász-Softmax loss: A tractable
    surrogate for the optimization of the intersection-over-union measure in neural networks", CVPR.
    """
    mask = read_target("lovasz", logits, target)
    errors = _errors(mask)
    found = (errors * _weights(errors.detach(), mask.wanted.flatten(2))).sum(dim=2)
    return mask.class_mean(found, mask.is_there if mask.is_exclusive else None)


def _errors(mask: MaskTarget) -> Tensor:
    """(N, C, H * W), at least 0; 0 where not counted."""
    if mask.is_exclusive:
        errors = (mask.wanted - mask.logits.softmax(dim=1)).abs()
    else:
        errors = (1.0 - mask.logits * (2.0 * mask.wanted - 1.0)).relu()
    return errors.where(mask.counted, 0.0).flatten(2)


def _weights(errors: Tensor, wanted: Tensor) -> Tensor:
    """(N, C, H * W) what 1 - IoU grows by at each pixel, the most wrong ones first."""
    order = errors.argsort(dim=2, descending=True)
    ranked = wanted.gather(2, order)
    total = ranked.sum(dim=2, keepdim=True)
    # Pixels that are not counted have no error: they come last and are multiplied by 0.
    union = total + (1.0 - ranked).cumsum(dim=2)
    loss = 1.0 - (total - ranked.cumsum(dim=2)) / union
    steps = torch.cat([loss[..., :1], loss.diff(dim=2)], dim=2)
    return torch.empty_like(steps).scatter_(2, order, steps)
