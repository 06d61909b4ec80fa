"""Augmentations made of many operations: RandAugment, TrivialAugment, AugMix."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torchvision.transforms.v2 import functional as F

from foldwise.data.colours import on_colours, stretched
from foldwise.data.draws import generator

Operation = Literal[
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "colour",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
]

_HIGHEST_MAGNITUDE = 30
_HIGHEST_SEVERITY = 10
_LONGEST_CHAIN = 3


@dataclass(frozen=True)
class Reach:
    """How far the operations go at level 1.

    Attributes:
        shear: tangent of the angle.
        shift: side in pixels → pixels.
        degrees: of a turn.
        factor: brightness, colour, contrast and sharpness are times 1 ± this.
        bits: kept by posterize at level 0 and at level 1.
    """

    shear: float
    shift: Callable[[int], float]
    degrees: float
    factor: float
    bits: tuple[int, int]


RAND_REACH = Reach(0.3, lambda side: 150 / 331 * side, 30.0, 0.9, (8, 4))
TRIVIAL_REACH = Reach(0.99, lambda side: 32.0, 135.0, 0.99, (8, 2))
MIX_REACH = Reach(0.3, lambda side: side / 3, 30.0, 0.9, (4, 0))


def rand_augment(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    num_ops: Annotated[int, Field(ge=1, le=10)] = 2,
    magnitude: Annotated[float, Field(ge=0, le=_HIGHEST_MAGNITUDE)] = 9,
    without: tuple[Operation, ...] = (),
) -> torch.Tensor:
    """`num_ops` operations drawn from 14, one after the other, all at one magnitude of 0 to 30.

    Nothing mirrors; turns reach 30 degrees at magnitude 30. What is moved in is black.

    Args:
        image: (C, H, W) uint8.
        draws: uniform in [0, 1).
        num_ops: operations, each drawn anew.
        magnitude: of all of them; half of the shears, shifts, turns and factors go the other way.
        without: operations that are left out.

    Source: Cubuk et al. (2020), "RandAugment: Practical automated data augmentation with a
    reduced search space", CVPR workshops; ranges as in torchvision.
    """
    rng, pool = generator(draws), ["identity", *_pool(without)]
    for _ in range(num_ops):
        name, sign = pool[int(rng.integers(len(pool)))], _sign(rng.random())
        image = operate(image, name, magnitude / _HIGHEST_MAGNITUDE, sign, RAND_REACH)
    return image


def trivial_augment(
    image: torch.Tensor, draws: Sequence[float], *, without: tuple[Operation, ...] = ()
) -> torch.Tensor:
    """One operation drawn from 14, at a strength drawn from 31 (the wide ranges).

    Nothing mirrors, but turns reach 135 degrees: leave them out (`without: [rotate]`) where a
    turned image may be of another class.

    Args:
        image: (C, H, W) uint8.
        draws: uniform in [0, 1).
        without: operations that are left out.

    Source: Müller and Hutter (2021), "TrivialAugment: Tuning-free yet state-of-the-art data
    augmentation", ICCV.
    """
    rng, pool = generator(draws), ["identity", *_pool(without)]
    name, sign = pool[int(rng.integers(len(pool)))], _sign(rng.random())
    level = int(rng.integers(_HIGHEST_MAGNITUDE + 1)) / _HIGHEST_MAGNITUDE
    return operate(image, name, level, sign, TRIVIAL_REACH)


def aug_mix(
    image: torch.Tensor,
    draws: Sequence[float],
    *,
    severity: Annotated[int, Field(ge=1, le=_HIGHEST_SEVERITY)] = 3,
    width: Annotated[int, Field(ge=1, le=10)] = 3,
    depth: Annotated[int, Field(ge=1, le=10)] | None = None,
    alpha: Annotated[float, Field(gt=0)] = 1.0,
    without: tuple[Operation, ...] = (),
) -> torch.Tensor:
    """The image mixed with `width` copies, each through a chain of operations of its own.

    The paper's loss that holds three versions of an image together is not part of it.

    Args:
        image: (C, H, W) uint8.
        draws: uniform in [0, 1).
        severity: each operation's strength is drawn from this many lowest ones of 10.
        width: chains.
        depth: operations in a chain; null: 1 to 3, drawn for each.
        alpha: of the Dirichlet and Beta distributions of the shares.
        without: operations that are left out.

    Source: Hendrycks et al. (2020), "AugMix: A simple data processing method to improve
    robustness and uncertainty", ICLR.
    """
    rng, pool = generator(draws), _pool(without) or ["identity"]
    kept = float(rng.beta(alpha, alpha))
    mixed = kept * image.float()
    for share in (1 - kept) * rng.dirichlet([alpha] * width):
        chained = image
        for _ in range(depth or int(rng.integers(1, _LONGEST_CHAIN + 1))):
            name, sign = pool[int(rng.integers(len(pool)))], _sign(rng.random())
            level = int(rng.integers(severity)) / (_HIGHEST_SEVERITY - 1)
            chained = operate(chained, name, level, sign, MIX_REACH)
        mixed.add_(chained, alpha=float(share))
    return mixed.round_().clamp_(0, 255).to(torch.uint8)


def operate(image: torch.Tensor, name: str, level: float, sign: int, reach: Reach) -> torch.Tensor:
    """One operation.

    Args:
        image: (C, H, W) uint8.
        name: an `Operation`, or identity.
        level: in [0, 1].
        sign: 1 or -1, the way of a shear, shift, turn or factor.
        reach: what level 1 means.

    Returns:
        (C, H, W) uint8.
    """
    if name == "identity":
        return image
    if name in _GEOMETRY:
        return _GEOMETRY[name](image, level * sign, reach)
    strength = level * sign if name in _FACTORS else level
    return on_colours(image, lambda colours: _COLOURS[name](colours, strength, reach))


def _sheared(image: torch.Tensor, tangents: tuple[float, float]) -> torch.Tensor:
    shear = [math.degrees(math.atan(tangent)) for tangent in tangents]
    sheared: torch.Tensor = F.affine_image(
        image, 0.0, [0, 0], 1.0, shear, F.InterpolationMode.BILINEAR, center=[0, 0]
    )
    return sheared


def _shifted(image: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """Moved down by dy and right by dx; what is moved in is black."""
    _, height, width = image.shape
    dy, dx = max(-height, min(height, dy)), max(-width, min(width, dx))
    moved = torch.zeros_like(image)
    rows, columns = slice(max(dy, 0), height + min(dy, 0)), slice(max(dx, 0), width + min(dx, 0))
    seen = image[:, max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
    moved[:, rows, columns] = seen
    return moved


def _turned(image: torch.Tensor, degrees: float) -> torch.Tensor:
    turned: torch.Tensor = F.rotate_image(
        image, degrees, interpolation=F.InterpolationMode.BILINEAR
    )
    return turned


def _pool(without: Sequence[str]) -> list[str]:
    return [name for name in (*_GEOMETRY, *_COLOURS) if name not in without]


def _sign(draw: float) -> int:
    return 1 if draw < 0.5 else -1


Operate = Callable[[torch.Tensor, float, Reach], torch.Tensor]

_FACTORS = ("brightness", "colour", "contrast", "sharpness")
_GEOMETRY: dict[str, Operate] = {
    "shear_x": lambda image, level, reach: _sheared(image, (level * reach.shear, 0.0)),
    "shear_y": lambda image, level, reach: _sheared(image, (0.0, level * reach.shear)),
    "translate_x": lambda image, level, reach: _shifted(
        image, 0, int(level * reach.shift(image.shape[2]))
    ),
    "translate_y": lambda image, level, reach: _shifted(
        image, int(level * reach.shift(image.shape[1])), 0
    ),
    "rotate": lambda image, level, reach: _turned(image, level * reach.degrees),
}
_COLOURS: dict[str, Operate] = {
    "brightness": lambda image, level, reach: F.adjust_brightness_image(
        image, 1 + level * reach.factor
    ),
    "colour": lambda image, level, reach: F.adjust_saturation_image(
        image, 1 + level * reach.factor
    ),
    "contrast": lambda image, level, reach: F.adjust_contrast_image(
        image, 1 + level * reach.factor
    ),
    "sharpness": lambda image, level, reach: F.adjust_sharpness_image(
        image, 1 + level * reach.factor
    ),
    "posterize": lambda image, level, reach: F.posterize_image(
        image, round(reach.bits[0] + level * (reach.bits[1] - reach.bits[0]))
    ),
    "solarize": lambda image, level, reach: F.solarize_image(image, 255.0 * (1 - level)),
    "autocontrast": lambda image, level, reach: stretched(image),
    "equalize": lambda image, level, reach: F.equalize_image(image),
}
