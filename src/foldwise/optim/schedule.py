"""The course of the learning rate in stages, and what trains in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from foldwise.errors import ConfigError

Trainable = Literal["head", "head_norms", "all"] | Mapping[Literal["last"], int]
Shape = Literal["linear", "cosine", "constant"]


@dataclass(frozen=True)
class Stage:
    """Epochs with one set of trainable weights and one course of the rate.

    Attributes:
        epochs: at least 1.
        trainable: "head", "head_norms", "all" or {"last": number of blocks}.
        start_lr: rate at the first step.
        end_lr: rate at the last step; "constant" stays at `start_lr`.
        shape: course between the two.
        size: side of the training images in pixels; None: that of the network's input.
        augment: whether images are augmented and mixed.
    """

    epochs: int
    trainable: Trainable
    start_lr: float
    end_lr: float
    shape: Shape = "linear"
    size: int | None = None
    augment: bool = True


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


def warmup_cosine(
    *, epochs: int, warmup: int, lr: float, min_lr: float, trainable: Trainable = "all"
) -> tuple[Stage, ...]:
    """Linear warm-up to `lr`, then half a cosine down to `min_lr`.

    Args:
        epochs: of both together.
        warmup: of the warm-up; 0: none.
        lr: highest rate.
        min_lr: first rate of the warm-up and last rate of all.
        trainable: what trains.

    Raises:
        ConfigError: the warm-up leaves no epoch, or `min_lr` is above `lr`.
    """
    if warmup >= epochs:
        raise ConfigError(
            f"a warm-up of {warmup} epochs leaves nothing of {epochs}",
            remedy=f"use at most {epochs - 1} epochs of warm-up",
        )
    _check_order(lr, min_lr)
    rise = Stage(warmup, trainable, min_lr, lr, "linear")
    fall = Stage(epochs - warmup, trainable, lr, min_lr, "cosine")
    return tuple(stage for stage in (rise, fall) if stage.epochs)


def staged(
    *,
    head: int = 5,
    warmup: int = 10,
    hold: int = 10,
    cooldown: int = 20,
    lr: float,
    min_lr: float,
    trainable: Trainable = "all",
) -> tuple[Stage, ...]:
    """Head only at `lr`, warm-up, hold, cosine cool-down; parts of 0 epochs are left out.

    Args:
        head: epochs that train the head only.
        warmup: epochs from `min_lr` up to `lr`.
        hold: epochs at `lr`.
        cooldown: epochs down to `min_lr`.
        lr: highest rate.
        min_lr: lowest rate.
        trainable: what trains after the head.

    Raises:
        ConfigError: a part is negative, none is left, or `min_lr` is above `lr`.
    """
    _check_order(lr, min_lr)
    if min(head, warmup, hold, cooldown) < 0 or not head + warmup + hold + cooldown:
        raise ConfigError(
            f"a staged schedule of head {head}, warm-up {warmup}, hold {hold} and cool-down "
            f"{cooldown} epochs cannot be run",
            remedy="give more epochs than head, warm-up and hold take together",
        )
    stages = (
        Stage(head, "head", lr, lr, "constant"),
        Stage(warmup, trainable, min_lr, lr, "linear"),
        Stage(hold, trainable, lr, lr, "constant"),
        Stage(cooldown, trainable, lr, min_lr, "cosine"),
    )
    return tuple(stage for stage in stages if stage.epochs)


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
    total = sum(stage.epochs for stage in kept)
    # Every stage has its one epoch; the others go by what is still owed (largest remainder).
    shares = [1] * len(kept)
    for _ in range(epochs - len(kept)):
        owed = [
            stage.epochs * epochs / total - share for stage, share in zip(kept, shares, strict=True)
        ]
        shares[int(np.argmax(owed))] += 1
    return tuple(replace(stage, epochs=n) for stage, n in zip(kept, shares, strict=True))


def _keep_rank(stage: Stage) -> int:
    if stage.trainable == "head":
        return 2
    if stage.shape == "constant" or stage.start_lr == stage.end_lr:
        return 0
    return 1 if stage.end_lr > stage.start_lr else 3


def _check_order(lr: float, min_lr: float) -> None:
    if min_lr > lr:
        raise ConfigError(
            f"the lowest rate {min_lr:g} is above the highest, {lr:g}",
            remedy="lower train.min_lr or raise train.lr",
        )


def _curve(stage: Stage, num_steps: int) -> np.ndarray:
    progress = np.linspace(0.0, 1.0, num_steps) if num_steps > 1 else np.full(num_steps, 0.5)
    return stage.start_lr + (stage.end_lr - stage.start_lr) * SHAPES[stage.shape](progress)


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda progress: progress,
    "cosine": lambda progress: (1.0 - np.cos(np.pi * progress)) / 2.0,
    "constant": np.zeros_like,
}
