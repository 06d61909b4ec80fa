"""Where a part of an image lies in it: one description, by which image and masks are cut alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch.nn import functional

from foldwise.data.augment import resize_into
from foldwise.data.boxes import Box

#: Pixels by which an edge may miss those of the image.
_ROUNDING = 1e-6


class Aligned(NamedTuple):
    """A window of whole pixels, resized, then transposed, then mirrored.

    Attributes:
        window: in the image; it may reach beyond.
        is_transposed: whether rows become columns.
        flips_y: whether up and down change places.
        flips_x: whether left and right change places.
    """

    window: Box
    is_transposed: bool
    flips_y: bool
    flips_x: bool

    def turned(self, pixels: np.ndarray, axis: int = 0) -> np.ndarray:
        """The window as the part shows it, a view; rows lie along `axis`, columns behind it."""
        shown = pixels.swapaxes(axis, axis + 1) if self.is_transposed else pixels
        mirrored = (axis,) * self.flips_y + (axis + 1,) * self.flips_x
        return np.flip(shown, mirrored) if mirrored else shown


@dataclass(frozen=True, eq=False)
class Placement:
    """Where each point of a part lies in its image.

    Attributes:
        matrix: (2, 3) float64; (x, y, 1) in the part → (x, y) in the image, in pixels, x to the
            right and y down, (0, 0) the outer corner of the first pixel.
        height: of the part, pixels.
        width: the same.
    """

    matrix: np.ndarray
    height: int
    width: int

    @classmethod
    def whole(cls, height: int, width: int) -> Self:
        """All of an image, as it is."""
        return cls(np.eye(2, 3), height, width)

    def part(self, matrix: Sequence[Sequence[float]], height: int, width: int) -> Placement:
        """A part of this part.

        Args:
            matrix: (2, 3) as of the class, from the smaller part to this one.
            height: of the smaller part.
            width: the same.
        """
        inner = np.vstack([np.asarray(matrix, np.float64), [0.0, 0.0, 1.0]])
        return Placement(self.matrix @ inner, height, width)

    def resized(self, height: int, width: int) -> Placement:
        """The same part with other pixels."""
        across, down = self.width / width, self.height / height
        return self.part([[across, 0, 0], [0, down, 0]], height, width)

    @property
    def aligned(self) -> Aligned | None:
        """How it is cut from rows and columns; None: it is turned, or lies between pixels."""
        (xx, xy, x), (yx, yy, y) = self.matrix.tolist()
        is_transposed = xx == 0 and yy == 0
        if not is_transposed and (xy != 0 or yx != 0):
            return None
        corners = np.array([[x, y], self.matrix @ [self.width, self.height, 1.0]])
        whole = np.rint(corners).astype(int)
        if np.abs(corners - whole).max() > _ROUNDING:
            return None
        (left, top), (right, bottom) = whole.min(axis=0).tolist(), whole.max(axis=0).tolist()
        window = Box(top, left, bottom - top, right - left)
        return Aligned(window, is_transposed, flips_y=xy + yy < 0, flips_x=xx + yx < 0)

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """(h, w) float64 x and y in the image of the middle of each pixel."""
        x, y = np.arange(self.width) + 0.5, (np.arange(self.height) + 0.5)[:, None]
        (xx, xy, x0), (yx, yy, y0) = self.matrix
        return xx * x + xy * y + x0, yx * x + yy * y + y0

    def image(self, pixels: np.ndarray) -> torch.Tensor:
        """The part of an image; beyond the image its edge is repeated.

        Args:
            pixels: (H, W, C) uint8.

        Returns:
            (C, h, w) uint8, a copy.
        """
        aligned = self.aligned
        if aligned is None:
            return self._sampled(pixels)
        shown = aligned.turned(_cut(pixels, aligned.window))
        part = torch.from_numpy(shown.copy()).permute(2, 0, 1)
        found = torch.empty(self.height, self.width, len(part), dtype=torch.uint8).permute(2, 0, 1)
        resize_into(part, found)
        return found

    def _sampled(self, pixels: np.ndarray) -> torch.Tensor:
        """Between pixels, in a straight line; only what lies around the part is looked at."""
        x, y = self.points()
        box = around(x, y, *pixels.shape[:2])
        near = torch.from_numpy(box.of(pixels)).permute(2, 0, 1)[None].float()
        places = np.stack([(x - box.left) / box.width, (y - box.top) / box.height], axis=2)
        grid = torch.from_numpy((2 * places - 1).astype(np.float32))[None]
        found = functional.grid_sample(near, grid, padding_mode="border", align_corners=False)
        return found[0].round().to(torch.uint8)


def around(x: np.ndarray, y: np.ndarray, height: int, width: int) -> Box:
    """The pixels of an image that points lie in or next to; at least one."""
    (top, bottom), (left, right) = (_reach(y, height), _reach(x, width))
    return Box(top, left, bottom - top, right - left)


def _reach(places: np.ndarray, side: int) -> tuple[int, int]:
    low = min(max(math.floor(places.min()) - 1, 0), side - 1)
    return low, min(max(math.ceil(places.max()) + 1, low + 1), side)


def _cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    """A window that may reach beyond the image."""
    height, width = pixels.shape[:2]
    foot, right = box.top + box.height, box.left + box.width
    if min(box.top, box.left) >= 0 and foot <= height and right <= width:
        return box.of(pixels)
    rows, columns = np.arange(box.top, foot), np.arange(box.left, right)
    found: np.ndarray = pixels[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
    return found
