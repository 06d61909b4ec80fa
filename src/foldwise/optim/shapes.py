"""Courses of the rate within a stage, from its first step to its last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field


def linear(progress: np.ndarray, start_lr: float, end_lr: float) -> np.ndarray:
    """A straight line.

    Args:
        progress: (n,) rising from 0 to 1.
        start_lr: rate at 0.
        end_lr: rate at 1.

    Returns:
        (n,) float64 rates; the arguments are the same for every shape.
    """
    return start_lr + (end_lr - start_lr) * progress


def cosine(progress: np.ndarray, start_lr: float, end_lr: float) -> np.ndarray:
    """Half a cosine: flat at both ends.

    Source: Loshchilov and Hutter (2017), "SGDR: Stochastic gradient descent with warm restarts",
    ICLR.
    """
    return start_lr + (end_lr - start_lr) * ((1.0 - np.cos(np.pi * progress)) / 2.0)


def constant(progress: np.ndarray, start_lr: float, end_lr: float) -> np.ndarray:
    """The first rate all along; the last one is not read."""
    return np.full_like(progress, start_lr)


def polynomial(
    progress: np.ndarray,
    start_lr: float,
    end_lr: float,
    *,
    power: Annotated[float, Field(gt=0)] = 0.9,
) -> np.ndarray:
    """What is left of the way, to a power: 1 is a line, above 1 falls early, below 1 late.

    Source: Chen et al. (2017), "DeepLab: Semantic image segmentation with deep convolutional nets,
    atrous convolution, and fully connected CRFs", TPAMI, with power 0.9.
    """
    return start_lr + (end_lr - start_lr) * (1.0 - (1.0 - progress) ** power)


def peaked(
    progress: np.ndarray,
    start_lr: float,
    end_lr: float,
    *,
    peak_lr: Annotated[float, Field(gt=0)],
    rise: Annotated[float, Field(gt=0, lt=1)],
) -> np.ndarray:
    """Half a cosine up to `peak_lr`, reached at the share `rise` of the way, and half a one down.

    Source: Smith and Topin (2018), "Super-convergence: very fast training of neural networks using
    large learning rates", with fastai's cosines in place of lines.
    """
    up = cosine(np.minimum(progress / rise, 1.0), start_lr, peak_lr)
    down = cosine(np.maximum(progress - rise, 0.0) / (1.0 - rise), peak_lr, end_lr)
    return np.where(progress < rise, up, down)


SHAPES: dict[str, Callable[..., np.ndarray]] = {
    "linear": linear,
    "cosine": cosine,
    "constant": constant,
    "polynomial": polynomial,
    "peaked": peaked,
}
