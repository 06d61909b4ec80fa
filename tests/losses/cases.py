"""Logits and targets of the shapes that each loss takes."""

from __future__ import annotations

import torch
from torch.nn import functional

from foldwise.losses import LOSSES, segmentation

#: A loss's name, and for masks the kind of target.
Case = tuple[str, str]

CLASSES = ("cross_entropy", "focal", "poly1", "symmetric_cross_entropy", "expectation",
           "squared_emd", "soft_kappa", "two_step", "affinity")  # fmt: skip
BINARY = ("bce", "binary_focal", "asymmetric")
OVERLAPPING, EXCLUSIVE = "overlapping", "exclusive"


def cases() -> list[Case]:
    """Every loss with every kind of target it takes."""
    rows = [(name, "") for name in LOSSES if name not in segmentation.LOSSES]
    masks = [
        (name, kind)
        for name in segmentation.LOSSES
        for kind in (OVERLAPPING, EXCLUSIVE)
        if (name, kind) not in (("mask_bce", EXCLUSIVE), ("mask_cross_entropy", OVERLAPPING))
    ]
    return rows + masks


def perfect(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of four samples that are right beyond doubt, and their target."""
    name, kind = case
    if kind:
        return _perfect_masks(name, kind)
    classes = torch.tensor([0, 2, 1, 3])
    one_hot = functional.one_hot(classes, 4).double()
    if name == "two_step":
        first = torch.where(classes > 0, 40.0, -40.0).double()
        return torch.cat([first[:, None], 40.0 * one_hot[:, 1:]], dim=1), classes
    if name == "affinity":  # Logarithms of similarities, the others' within the margin's reach.
        return 3.0 * one_hot - 3.0, classes
    if name in CLASSES:
        return 40.0 * one_hot, classes
    if name == "corn":
        above = (classes[:, None] > torch.arange(3)).double()
        return 80.0 * above - 40.0, above
    if name in BINARY:
        return 80.0 * one_hot - 40.0, one_hot
    return one_hot.clone(), one_hot


def drawn(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits at random, and a target."""
    logits, target = perfect(case)
    found = torch.randn(logits.shape, dtype=torch.float64, generator=rng())
    return -found.abs() if case[0] == "affinity" else found, target


def rng() -> torch.Generator:
    """The same draws in every test."""
    return torch.Generator().manual_seed(0)


def masks(
    kind: str, num: int = 4, num_classes: int = 3, size: tuple[int, int] = (5, 4)
) -> torch.Tensor:
    """(num, ...) uint8 target of some pixels: blobs of every class, a column not counted."""
    numbers = torch.rand(num, num_classes, *size, generator=rng())
    target = (numbers > 0.6).byte() if kind == OVERLAPPING else numbers.argmax(dim=1).byte()
    target[..., -1] = 255
    return target


def _perfect_masks(name: str, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    target = masks(kind)
    if kind == EXCLUSIVE:
        one_hot = functional.one_hot(target.long().remainder(255), 3).movedim(3, 1)
        return 40.0 * one_hot.double(), target
    # The hinge is content with 1.
    scale = 1.0 if name == "lovasz" else 40.0
    return scale * (2.0 * (target == 1) - 1.0).double(), target
