"""The course of the learning rate in stages, and what trains in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from foldwise import parts
from foldwise.optim.shapes import SHAPES

Trainable = Literal["head", "head_norms", "all"] | Mapping[Literal["last"], int]


@dataclass(frozen=True)
class Stage:
    """Epochs with one set of trainable weights and one course of the rate.

    Attributes:
        epochs: at least 1.
        trainable: "head", "head_norms", "all" or {"last": number of blocks}.
        start_lr: rate at the first step.
        end_lr: rate at the last step; "constant" stays at `start_lr`.
        shape: course between the two, of `SHAPES`.
        size: side of the training images in pixels; None: that of the network's input.
        augment: whether images are augmented and mixed.
    """

    epochs: int
    trainable: Trainable
    start_lr: float
    end_lr: float
    shape: parts.Spec = "linear"
    size: int | None = None
    augment: bool = True

    @property
    def peak_lr(self) -> float:
        """Its highest rate."""
        inside = float(parts.options_of(self.shape).get("peak_lr", 0.0))
        return max(self.start_lr, self.end_lr, inside)


def rates(stages: Sequence[Stage], steps_per_epoch: int) -> np.ndarray:
    """The rate of every optimiser step.

    A stage's first step has its start rate, its last step its end rate; a stage of one step has
    the rate half way.

    Returns:
        (steps_per_epoch * epochs of all stages,) float64.

    >>> rates([Stage(1, "all", 0.0, 1.0), Stage(1, "all", 1.0, 0.0, "cosine")], 3).round(3).tolist()
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    curves = [_curve(stage, stage.epochs * steps_per_epoch) for stage in stages]
    return np.concatenate([np.empty(0), *curves])


def shorten(stages: Sequence[Stage], epochs: int) -> tuple[Stage, ...]:
    """The same course in fewer epochs, in proportion, each stage at least one epoch.

    If there are fewer epochs than stages, these go first: hold, then warm-up, then head only,
    then the earliest of what is left; the last stage always stays, so that training ends at its
    low rate.

    Args:
        stages: the whole schedule; not more than `epochs`: comes back as it is.
        epochs: at least 1.
    """
    assert epochs >= 1, epochs
    kept = list(stages)
    if sum(stage.epochs for stage in kept) <= epochs:
        return tuple(kept)
    while len(kept) > epochs:
        kept.remove(min(kept[:-1], key=_keep_rank))
    lengths = in_proportion([stage.epochs for stage in kept], epochs)
    return tuple(replace(stage, epochs=n) for stage, n in zip(kept, lengths, strict=True))


def in_proportion(lengths: Sequence[float], epochs: int) -> list[int]:
    """Whole epochs in the proportion of `lengths`, at least one each.

    Args:
        lengths: above 0; not more of them than `epochs`.
        epochs: of all together.

    >>> in_proportion([1, 2, 4], 10)
    [1, 3, 6]
    """
    total = sum(lengths)
    # Each has its one epoch; the others go by what is still owed (largest remainder).
    shares = [1] * len(lengths)
    for _ in range(epochs - len(shares)):
        owed = [
            length * epochs / total - share for length, share in zip(lengths, shares, strict=True)
        ]
        shares[int(np.argmax(owed))] += 1
    return shares


def _keep_rank(stage: Stage) -> int:
    if stage.trainable == "head":
        return 2
    if stage.shape == "constant" or stage.start_lr == stage.end_lr:
        return 0
    return 1 if stage.end_lr > stage.start_lr else 3


def _curve(stage: Stage, num_steps: int) -> np.ndarray:
    progress = np.linspace(0.0, 1.0, num_steps) if num_steps > 1 else np.full(num_steps, 0.5)
    shape = parts.bind(SHAPES, stage.shape, what="shape")
    return np.asarray(shape(progress, stage.start_lr, stage.end_lr))
