"""Parts of an image: which one a crop takes is known before any pixels are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.data.draws import between


@dataclass(frozen=True)
class Box:
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, C) → the view of the part, (height, width, C)."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


def crop_box(
    height: int,
    width: int,
    draws: Sequence[float],
    *,
    scale: tuple[float, float] = (0.6, 1.0),
    ratio: tuple[float, float] = (0.8, 1.25),
) -> Box:
    """What the augmentation `crop` takes of an image; draws and options are those of it."""
    area = height * width * between(draws[0], *scale)
    aspect = math.exp(between(draws[1], math.log(ratio[0]), math.log(ratio[1])))
    w = max(1, min(width, round(math.sqrt(area * aspect))))
    h = max(1, min(height, round(math.sqrt(area / aspect))))
    return Box(int(draws[2] * (height - h + 1)), int(draws[3] * (width - w + 1)), h, w)


def centre_box(height: int, width: int) -> Box:
    """The square in the middle."""
    side = min(height, width)
    return Box((height - side) // 2, (width - side) // 2, side, side)


#: Height and width of an image → the part of it that is wanted.
DrawBox = Callable[[int, int], Box]
#: Content hash, what draws the part, side it will have → (h, w, C) uint8 pixels of that part.
Cut = Callable[[str, DrawBox, int], np.ndarray]
