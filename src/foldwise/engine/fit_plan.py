"""What a fit does, as everything bound and on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from foldwise.data.batches import Batch
from foldwise.engine.sides import Side
from foldwise.losses.terms import Loss
from foldwise.optim.schedule import Stage
from foldwise.optim.sharpness import Sharpness

#: Epoch, steps of it that are done → its other batches.
Batches = Callable[[int, int], Iterator[Batch]]
Mix = Callable[[torch.Tensor, torch.Tensor, np.random.Generator], tuple[torch.Tensor, torch.Tensor]]


def loss_of(logits: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """(B,) the loss of each row, which samplers draw by."""
    return losses


@dataclass(frozen=True)
class FitPlan:
    """What a fit does.

    Attributes:
        stages: the schedule.
        num_steps: optimiser steps per epoch.
        batches: epoch, steps of it that are done → its other batches.
        target: (N, ...) what the loss takes, on the device; None: batches bring it.
        row_weights: (N,) float, mean 1, on the device; or None.
        loss: (B, O) logits, (B, ...) target → (B,) losses, or terms by name.
        logit_shift: (O,) added to the logits before the loss, on the device; or None.
        note: (B, ...) logits and (B,) losses → (B,) what is kept of each row for the sampler.
        sides: further terms of the loss, on outputs of the network for training alone.
        mix: mixes images and targets of a batch, or None.
        sharpness: where the gradient of a step is taken, or None: at the weights themselves.
        norm: whether batch-norm statistics follow the training images.
        accumulate: parts a batch is cut into.
        clip: largest gradient norm, or None.
        on_nonfinite: what a loss that is not finite does.
        seed: of the run.
        fold: the held-out fold; -1: none.
    """

    stages: tuple[Stage, ...]
    num_steps: int
    batches: Batches
    target: torch.Tensor | None
    loss: Loss
    row_weights: torch.Tensor | None = None
    logit_shift: torch.Tensor | None = None
    note: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = loss_of
    sides: tuple[Side, ...] = ()
    mix: Mix | None = None
    sharpness: Sharpness | None = None
    norm: Literal["train", "frozen"] = "train"
    accumulate: int = 1
    clip: float | None = None
    on_nonfinite: Literal["stop", "skip"] = "stop"
    seed: int = 0
    fold: int = -1

    @property
    def num_epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)
