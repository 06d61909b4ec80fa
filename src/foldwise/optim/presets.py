"""Schedules by name: from epochs, warm-up and rates to stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from foldwise.errors import ConfigError
from foldwise.optim.schedule import Stage, Trainable, in_proportion


def warmup_cosine(
    epochs: int, warmup: int, lr: float, min_lr: float, trainable: Trainable = "all"
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
    rise = _warmup(epochs, warmup, lr, min_lr, trainable)
    return (*rise, Stage(epochs - warmup, trainable, lr, min_lr, "cosine"))


def staged(
    epochs: int,
    warmup: int,
    lr: float,
    min_lr: float,
    trainable: Trainable = "all",
    *,
    head: Annotated[int, Field(ge=0)] = 0,
    hold: Annotated[int, Field(ge=0)] = 0,
) -> tuple[Stage, ...]:
    """Head only at `lr`, warm-up, hold, cosine cool-down; parts of 0 epochs are left out.

    Args:
        epochs: of all together; the cool-down has what the other parts leave.
        warmup: epochs from `min_lr` up to `lr`.
        lr: highest rate.
        min_lr: lowest rate.
        trainable: what trains after the head.
        head: epochs that train the head only.
        hold: epochs at `lr`.

    Raises:
        ConfigError: the parts take more epochs than there are, or `min_lr` is above `lr`.
    """
    _check_order(lr, min_lr)
    cooldown = epochs - head - warmup - hold
    if min(head, warmup, hold, cooldown) < 0 or not epochs:
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


def one_cycle(
    epochs: int,
    warmup: int,
    lr: float,
    min_lr: float,
    trainable: Trainable = "all",
    *,
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3,
    div: Annotated[float, Field(ge=1)] = 25.0,
) -> tuple[Stage, ...]:
    """From `lr / div` up to `lr` within the share `rise` of all steps, then down to `min_lr`.

    Both ways are half a cosine. The optimiser's momentum stays as it is.

    Raises:
        ConfigError: a warm-up is asked for besides, or `min_lr` is above `lr`.

    Source: Smith and Topin (2018), "Super-convergence: very fast training of neural networks using
    large learning rates"; the defaults are fastai's.
    """
    _check_order(lr, min_lr)
    if warmup:
        raise ConfigError(
            f"preset one_cycle rises by itself and cannot have {warmup} epochs of warm-up as well",
            remedy="take warmup out and set the share of the rise: "
            "preset: {name: one_cycle, rise: 0.3}",
        )
    shape = {"name": "peaked", "peak_lr": lr, "rise": rise}
    return (Stage(epochs, trainable, lr / div, min_lr, shape),)


def cosine_restarts(
    epochs: int,
    warmup: int,
    lr: float,
    min_lr: float,
    trainable: Trainable = "all",
    *,
    cycles: Annotated[int, Field(ge=1)] = 3,
    growth: Annotated[float, Field(ge=1)] = 2.0,
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0,
) -> tuple[Stage, ...]:
    """Warm-up, then several cosines from `lr` to `min_lr`, in whole epochs.

    Each cycle is `growth` times as long as the one before, as near as whole epochs allow, and
    starts at `decay` times its rate.

    Raises:
        ConfigError: more cycles than epochs, or a cycle would start below `min_lr`.

    Source: Loshchilov and Hutter (2017), "SGDR: Stochastic gradient descent with warm restarts",
    ICLR.
    """
    stages = list(_warmup(epochs, warmup, lr, min_lr, trainable))
    if epochs - warmup < cycles:
        raise ConfigError(
            f"{cycles} cycles do not fit into the {epochs - warmup} epochs after the warm-up",
            remedy=f"use cycles: {epochs - warmup} at most, or more epochs",
        )
    peaks = [lr * decay**cycle for cycle in range(cycles)]
    if peaks[-1] < min_lr:
        raise ConfigError(
            f"with decay {decay:g} the last of {cycles} cycles would start at {peaks[-1]:g}, "
            f"below the lowest rate {min_lr:g}",
            remedy="raise decay, or lower train.min_lr",
        )
    lengths = in_proportion([growth**cycle for cycle in range(cycles)], epochs - warmup)
    for length, peak in zip(lengths, peaks, strict=True):
        stages.append(Stage(length, trainable, peak, min_lr, "cosine"))
    return tuple(stages)


def polynomial(
    epochs: int,
    warmup: int,
    lr: float,
    min_lr: float,
    trainable: Trainable = "all",
    *,
    power: Annotated[float, Field(gt=0)] = 0.9,
) -> tuple[Stage, ...]:
    """Linear warm-up, then down to `min_lr` with what is left of the way to a power.

    Raises:
        ConfigError: the warm-up leaves no epoch, or `min_lr` is above `lr`.

    Source: Chen et al. (2017), "DeepLab: Semantic image segmentation with deep convolutional nets,
    atrous convolution, and fully connected CRFs", TPAMI.
    """
    rise = _warmup(epochs, warmup, lr, min_lr, trainable)
    shape = {"name": "polynomial", "power": power}
    return (*rise, Stage(epochs - warmup, trainable, lr, min_lr, shape))


def _warmup(
    epochs: int, warmup: int, lr: float, min_lr: float, trainable: Trainable
) -> tuple[Stage, ...]:
    if warmup >= epochs:
        raise ConfigError(
            f"a warm-up of {warmup} epochs leaves nothing of {epochs}",
            remedy=f"use at most {epochs - 1} epochs of warm-up",
        )
    _check_order(lr, min_lr)
    return (Stage(warmup, trainable, min_lr, lr, "linear"),) if warmup else ()


def _check_order(lr: float, min_lr: float) -> None:
    if min_lr > lr:
        raise ConfigError(
            f"the lowest rate {min_lr:g} is above the highest, {lr:g}",
            remedy="lower train.min_lr or raise train.lr",
        )


PRESETS: dict[str, Callable[..., tuple[Stage, ...]]] = {
    "cosine": warmup_cosine,
    "staged": staged,
    "one_cycle": one_cycle,
    "cosine_restarts": cosine_restarts,
    "polynomial": polynomial,
}
