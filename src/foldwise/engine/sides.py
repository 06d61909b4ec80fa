"""Terms of the loss that inference knows nothing of: branch, further labels, penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from foldwise.losses.terms import Loss, Losses, named, total, weigh
from foldwise.tasks.auxiliary import Auxiliary

#: (B, S) logits or () penalty, (B,) rows, (B, ...) target of the label → (B,) losses.
SideLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Side:
    """A further term.

    Attributes:
        name: of the term.
        weight: beside the label's loss.
        loss: of the network's outputs for it.
    """

    name: str
    weight: float
    loss: SideLoss


def branch_side(
    weight: float, loss: Loss, row_weights: Tensor | None, shift: Tensor | None
) -> Side:
    """The attention branch learns the label, by the same loss and row weights.

    Args:
        weight: of the term.
        loss: of the label.
        row_weights: (N,), or None.
        shift: (O,) added to its logits as to those of the network, or None.
    """

    def losses(logits: Tensor, rows: Tensor, target: Tensor) -> Tensor:
        weights = None if row_weights is None else row_weights[rows]
        return total(weigh(loss, logits if shift is None else logits + shift, target, weights))

    return Side("attention", weight, losses)


def label_side(
    label: Auxiliary, rows: np.ndarray, device: torch.device, *, num_extra: int = 0
) -> Side:
    """A further label: cross-entropy of classes, squared error of standardised numbers.

    Rows without a value are left out; the others make up for them, so that the weight means the
    same however many there are.

    Args:
        label: with its target.
        rows: (n,) positions of the train rows to fit on.
        device: where to compute.
        num_extra: rows after them that are not of train, and have no value.
    """
    values = np.concatenate([label.target[rows], np.full(num_extra, np.nan)])
    is_known = ~np.isnan(values)
    share = torch.from_numpy(is_known / max(is_known.mean(), 1e-9)).float().to(device)
    known = values[is_known]
    if label.classes:
        target = torch.from_numpy(np.nan_to_num(values)).long().to(device)
    else:
        mean, spread = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
        scaled = np.nan_to_num((values - mean) / (spread or 1.0))
        target = torch.from_numpy(scaled).float().to(device)

    def losses(logits: Tensor, rows: Tensor, _: Tensor) -> Tensor:
        if label.classes:
            found = functional.cross_entropy(logits, target[rows], reduction="none")
        else:
            found = (logits[:, 0] - target[rows]).square()
        return found * share[rows]

    # Told apart from the label, the branch and the terms of a loss, whatever the column is called.
    return Side(f"auxiliary_{label.column}", label.weight, losses)


def presence_side(weight: float) -> Side:
    """Which classes are in what the network is shown: cross-entropy of each, mean over classes.

    Args:
        weight: of the term.
    """

    def losses(logits: Tensor, rows: Tensor, target: Tensor) -> Tensor:
        there = _present(target, logits.shape[1]).float()
        return functional.binary_cross_entropy_with_logits(logits, there, reduction="none").mean(1)

    return Side("presence", weight, losses)


def _present(target: Tensor, num_classes: int) -> Tensor:
    """(B, C) bool, of a target (B, C, H, W) of 0 and 1 or (B, H, W) classes."""
    if target.ndim == 4:
        return (target == 1).flatten(2).any(dim=2)
    pixels = target.flatten(1)
    return torch.stack([(pixels == number).any(dim=1) for number in range(num_classes)], dim=1)


def diversity_side(weight: float) -> Side:
    """What the prototypes of the head lack in equal spacing, the same for every row.

    Args:
        weight: of the term.
    """
    return Side("diversity", weight, lambda penalty, rows, _: penalty.expand(len(rows)))


def with_sides(
    label: Losses, sides: Sequence[Side], outputs: Sequence[Tensor], rows: Tensor, target: Tensor
) -> Losses:
    """The terms of the label's loss, which is `label` if it has no names, and those beside it.

    Args:
        label: what the loss of the label gave.
        sides: the further terms.
        outputs: the network's outputs for each of them.
        rows: (B,) positions of the rows among those fitted on.
        target: (B, ...) of the label.
    """
    if not sides:
        return label
    found = {
        side.name: side.weight * side.loss(logits.float(), rows, target)
        for side, logits in zip(sides, outputs, strict=True)
    }
    return {**(named(label) or {"label": total(label)}), **found}
