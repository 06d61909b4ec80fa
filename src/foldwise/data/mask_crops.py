"""Moves of an image and its masks, drawn for each sample: crops, mirroring and turning."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from foldwise.data.draws import Share, between
from foldwise.data.placement import Placement
from foldwise.masks.runs import Runs

Factor = Annotated[float, Field(ge=0.1, le=10)]


@dataclass(frozen=True)
class Scene:
    """An image that a crop is drawn of.

    Attributes:
        shown: its height and width, pixels.
        truth: its masks, of that size or of the size that it had before it was resized.
        size: height and width of what the network is to be shown.
    """

    shown: tuple[int, int]
    truth: Runs
    size: tuple[int, int]


#: A placement, draws in [0, 1), and the image that it is of → another placement.
Move = Callable[[Placement, Sequence[float], Scene], Placement]


def mask_crop(
    placement: Placement,
    draws: Sequence[float],
    scene: Scene,
    *,
    near: Share = 0.5,
    scale: tuple[Factor, Factor] = (1.0, 1.0),
) -> Placement:
    """A window of the input's size; with probability `near` one that shows some of what is there.

    That is drawn from the masks: first one of those that are not empty, each as likely as the
    next, then one of its pixels, which comes to lie anywhere in the window. Of an image in which
    there is nothing, any window is as likely as the next.

    Args:
        placement: that the window is cut from.
        draws: uniform in [0, 1).
        scene: the image.
        near: probability.
        scale: smallest and largest factor by which what it shows is enlarged.

    Returns:
        A part of that size; what the window is cut from lies anywhere in it where it is smaller.
    """
    factor = math.exp(between(draws[5], math.log(scale[0]), math.log(scale[1])))
    height, width = (max(1, round(side / factor)) for side in scene.size)
    shares = drawn_pixel(scene.truth, draws[1], draws[2]) if draws[0] < near else None
    x, y = (None, None) if shares is None else _point_in(placement, shares, scene.shown)
    top = _start(placement.height, height, draws[3], y)
    left = _start(placement.width, width, draws[4], x)
    return placement.part([[1, 0, left], [0, 1, top]], height, width).resized(*scene.size)


def hflip(
    placement: Placement, draws: Sequence[float], scene: Scene, *, p: float = 0.5
) -> Placement:
    """Mirrored left to right with probability `p`."""
    height, width = placement.height, placement.width
    if draws[0] >= p:
        return placement
    return placement.part([[-1, 0, width], [0, 1, 0]], height, width)


def vflip(
    placement: Placement, draws: Sequence[float], scene: Scene, *, p: float = 0.5
) -> Placement:
    """Mirrored top to bottom with probability `p`."""
    height, width = placement.height, placement.width
    if draws[0] >= p:
        return placement
    return placement.part([[1, 0, 0], [0, -1, height]], height, width)


def rot90(placement: Placement, draws: Sequence[float], scene: Scene) -> Placement:
    """Turned by 0, 90, 180 or 270 degrees, equally likely; with a flip, all eight symmetries."""
    for _ in range(int(draws[0] * 4)):
        # Counter-clockwise: what was at the right is at the top.
        height, width = placement.width, placement.height
        placement = placement.part([[0, -1, placement.width], [1, 0, 0]], height, width)
    return placement


def rotate(
    placement: Placement, draws: Sequence[float], scene: Scene, *, degrees: float = 15.0
) -> Placement:
    """Turned by up to `degrees` either way; corners show what is around, not black."""
    angle = math.radians(between(draws[0], -degrees, degrees))
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = placement.width / 2, placement.height / 2
    turn = [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]]
    return placement.part(turn, placement.height, placement.width)


def drawn_pixel(truth: Runs, mask: float, pixel: float) -> tuple[float, float] | None:
    """The middle of a set pixel, from top and left as shares of the sides; None: there is none.

    Args:
        truth: masks of one image.
        mask: in [0, 1), draws one of those that are not empty.
        pixel: in [0, 1), draws one of its pixels.
    """
    areas = truth.areas
    filled = np.flatnonzero(areas)
    if not len(filled):
        return None
    chosen = int(filled[int(mask * len(filled))])
    low, high = int(truth.offsets[chosen]), int(truth.offsets[chosen + 1])
    ends = np.cumsum(truth.lengths[low:high])
    number = int(pixel * int(ends[-1]))
    run = int(np.searchsorted(ends, number, side="right"))
    # Counted from the end of its run, where `ends` counts it.
    place = int(truth.starts[low + run] + truth.lengths[low + run] - ends[run]) + number
    height, width = int(truth.heights[chosen]), int(truth.widths[chosen])
    x, y = divmod(place, height)
    return (y + 0.5) / height, (x + 0.5) / width


def _point_in(
    placement: Placement, shares: tuple[float, float], shown: tuple[int, int]
) -> tuple[float, float]:
    """Where a point of an image, given from top and left, lies in a part: x and y."""
    point = np.array([shares[1] * shown[1], shares[0] * shown[0]])
    x, y = np.linalg.solve(placement.matrix[:, :2], point - placement.matrix[:, 2]).tolist()
    return x, y


def _start(side: int, window: int, draw: float, point: float | None) -> int:
    """Where a window begins on a side, such that a point of it, if one is given, is seen."""
    low, high = sorted((0, side - window))
    if point is None:
        return low + int(draw * (high - low + 1))
    return min(max(math.floor(point) - int(draw * window), low), high)


MOVES: dict[str, Callable[..., Placement]] = {
    "mask_crop": mask_crop,
    "hflip": hflip,
    "vflip": vflip,
    "rot90": rot90,
    "rotate": rotate,
}
