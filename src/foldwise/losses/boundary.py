"""A loss by place: a wrong pixel costs the more, the further it lies from the truth's border."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from foldwise.losses.mask_targets import MaskTarget, read_target


def boundary(
    logits: Tensor, target: Tensor, *, reach: Annotated[int, Field(ge=2, le=64)] = 12
) -> Tensor:
    """Error of the probabilities times the distance from the truth's border; mean over pixels.

    Kervadec's loss plus what makes it 0 for the truth itself, which has no slope, over `reach`.
    Distances are cut off at `reach`: that makes them cheap enough to be found at each step on the
    network's own device (exact up to there, in 2 * `reach` passes over the pixels), the loss at
    most 1 whatever the image's size, and the border of a class that is not in the image lie `reach`
    away, so that its false pixels cost something (Kervadec's cost nothing there).

    Args:
        logits: (N, C, H, W) float.
        target: (N, C, H, W) uint8 of 0 and 1, or (N, H, W) uint8 classes; 255: not counted.
        reach: pixels from the border on which all that is wrong costs alike.

    Returns:
        (N,) float in [0, 1]: mean over counted pixels and classes.

    Raises:
        ValueError: the shapes do not fit.

    Source: Kervadec et al. (2019), "Boundary loss for highly unbalanced segmentation", MIDL.
    Distances column by column, then along rows: Saito and Toriwaki (1994), "New algorithms for
    Euclidean distance transformation of an n-dimensional digitized picture".
    """
    mask = read_target("boundary", logits, target)
    errors = (mask.probs - mask.wanted).abs() * _far(mask, reach)
    return mask.pixel_mean(errors.mean(dim=1, keepdim=True) if mask.is_exclusive else errors)


@torch.no_grad()
def _far(mask: MaskTarget, reach: int) -> Tensor:
    """(N, C, H, W) in (0, 1]: how far the nearest counted pixel of the other kind is."""
    is_class = mask.wanted > 0
    to_class = _distances(is_class, reach)
    to_others = _distances(~is_class & mask.counted, reach)
    return torch.where(is_class, to_others, to_class).to(mask.logits.dtype) / reach


def _distances(seeds: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) float, pixels to the nearest seed, at most `reach`."""
    squares = _along_columns(seeds, reach).square()
    nearest = squares.clone()
    for step in range(1, min(reach, seeds.shape[3])):
        sideways = squares + step * step
        left, right = nearest[..., step:], nearest[..., :-step]
        torch.minimum(left, sideways[..., :-step], out=left)
        torch.minimum(right, sideways[..., step:], out=right)
    return nearest.float().sqrt().clamp_max(reach)


def _along_columns(seeds: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) int16, pixels to the nearest seed above or below, at most `reach`."""
    # Two bytes a pixel: half the time of four, and enough for any image a network sees.
    rows = torch.arange(seeds.shape[2], device=seeds.device, dtype=torch.int16)[:, None]
    nowhere = rows.new_full((), -reach)
    last = torch.where(seeds, rows, nowhere).cummax(dim=2).values
    turned = torch.where(seeds.flip(2), rows, nowhere).cummax(dim=2).values
    return torch.minimum(rows - last, (rows - turned).flip(2)).clamp_max(reach)
