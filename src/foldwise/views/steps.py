"""What a view is made of: mirroring and turning, rotating, cropping and scaling, and back again.

A step knows where each point of its image lies in the image it was made from, as a matrix in
pixels, x to the right and y down, (0, 0) the outer corner of the first pixel. Boxes go back by the
matrix; maps go back pixel by pixel, 0 where the step has seen nothing. Torch is imported where
pixels are touched: which views there are is asked without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

#: Height and width, pixels.
Size = tuple[int, int]


class Step(Protocol):
    """One step of a view."""

    def size(self, size: Size) -> Size:
        """Size of the image that is made of one of this size."""

    def matrix(self, size: Size) -> np.ndarray:
        """(3, 3): (x, y, 1) in the image that is made → in the one of this size it is made of."""

    def images(self, images: Tensor) -> Tensor:
        """(N, C, H, W) uint8 or float → (N, C, *size) of the same range."""

    def maps(self, maps: Tensor, size: Size) -> Tensor:
        """(N, K, *size(size)) float back → (N, K, *size); 0 where nothing was seen."""


@dataclass(frozen=True)
class Symmetry:
    """One of the eight symmetries of the square: transposed first, then mirrored; exact.

    Attributes:
        is_transposed: whether rows become columns.
        flips_y: whether up and down change places.
        flips_x: whether left and right change places.
    """

    is_transposed: bool = False
    flips_y: bool = False
    flips_x: bool = False

    def size(self, size: Size) -> Size:
        """As the protocol says."""
        height, width = size
        return (width, height) if self.is_transposed else size

    def matrix(self, size: Size) -> np.ndarray:
        """As the protocol says."""
        height, width = self.size(size)
        found = np.eye(3)
        if self.flips_x:
            found[0] = [-1, 0, width]
        if self.flips_y:
            found[1] = [0, -1, height]
        return found[[1, 0, 2]] if self.is_transposed else found

    def images(self, images: Tensor) -> Tensor:
        """As the protocol says."""
        turned = images.transpose(2, 3) if self.is_transposed else images
        return turned.flip(self._mirrored) if self._mirrored else turned

    def maps(self, maps: Tensor, size: Size) -> Tensor:
        """As the protocol says."""
        mirrored = maps.flip(self._mirrored) if self._mirrored else maps
        return mirrored.transpose(2, 3) if self.is_transposed else mirrored

    @property
    def _mirrored(self) -> list[int]:
        return [dim for dim, flips in ((2, self.flips_y), (3, self.flips_x)) if flips]


@dataclass(frozen=True)
class Rotation:
    """Turned about its centre by any angle, at the same size; corners are filled by reflection.

    Attributes:
        degrees: counter-clockwise.
    """

    degrees: float

    def size(self, size: Size) -> Size:
        """As the protocol says."""
        return size

    def matrix(self, size: Size) -> np.ndarray:
        """As the protocol says."""
        centre = np.array([size[1] / 2, size[0] / 2])
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        turn = np.array([[cos, -sin], [sin, cos]])
        return _affine(turn, centre - turn @ centre)

    def images(self, images: Tensor) -> Tensor:
        """As the protocol says."""
        size = (images.shape[2], images.shape[3])
        return _sampled(images.float(), self.matrix(size), size, padding="reflection")

    def maps(self, maps: Tensor, size: Size) -> Tensor:
        """As the protocol says."""
        return _sampled(maps, np.linalg.inv(self.matrix(size)), size, padding="zeros")


@dataclass(frozen=True)
class Crop:
    """A window, brought to the size of the whole.

    Attributes:
        top: where the window lies, 0 at the top, 1 at the bottom.
        left: 0 at the left, 1 at the right.
        share: side of the window over side of the image.
    """

    top: float
    left: float
    share: float

    def size(self, size: Size) -> Size:
        """As the protocol says."""
        return size

    def matrix(self, size: Size) -> np.ndarray:
        """As the protocol says."""
        top, left, height, width = self._window(size)
        return _affine(np.diag([width / size[1], height / size[0]]), np.array([left, top]))

    def images(self, images: Tensor) -> Tensor:
        """As the protocol says."""
        size = (images.shape[2], images.shape[3])
        top, left, height, width = self._window(size)
        return _resized(images[:, :, top : top + height, left : left + width], size)

    def maps(self, maps: Tensor, size: Size) -> Tensor:
        """As the protocol says."""
        top, left, height, width = self._window(size)
        found = maps.new_zeros((*maps.shape[:2], *size))
        found[:, :, top : top + height, left : left + width] = _resized(maps, (height, width))
        return found

    def _window(self, size: Size) -> tuple[int, int, int, int]:
        height, width = (max(1, round(self.share * side)) for side in size)
        return (
            round(self.top * (size[0] - height)),
            round(self.left * (size[1] - width)),
            height,
            width,
        )


@dataclass(frozen=True)
class Scale:
    """The whole image at another size.

    Networks halve their maps several times, so each side stays a multiple of the largest power of
    two, up to 32, that the given one is a multiple of: 224 at 1.2 is 256, 28 at 1.2 is 32.

    Attributes:
        factor: of each side, about.
    """

    factor: float

    def size(self, size: Size) -> Size:
        """As the protocol says."""
        height, width = (self._side(side) for side in size)
        return height, width

    def matrix(self, size: Size) -> np.ndarray:
        """As the protocol says."""
        height, width = self.size(size)
        return _affine(np.diag([size[1] / width, size[0] / height]), np.zeros(2))

    def images(self, images: Tensor) -> Tensor:
        """As the protocol says."""
        return _resized(images, self.size((images.shape[2], images.shape[3])))

    def maps(self, maps: Tensor, size: Size) -> Tensor:
        """As the protocol says."""
        return _resized(maps, size)

    def _side(self, side: int) -> int:
        step = math.gcd(side, 32)
        return max(step, step * round(self.factor * side / step))


def _affine(linear: np.ndarray, shift: np.ndarray) -> np.ndarray:
    found = np.eye(3)
    found[:2, :2], found[:2, 2] = linear, shift
    return found


def _resized(images: Tensor, size: Size) -> Tensor:
    """Bilinear, smoothed where it shrinks; uint8 in, float out, and float is left where it fits."""
    from torch.nn import functional

    if tuple(images.shape[2:]) == size:
        return images
    return functional.interpolate(images.float(), size, mode="bilinear", antialias=True)


def _sampled(images: Tensor, matrix: np.ndarray, size: Size, *, padding: str) -> Tensor:
    """(N, C, *size): the images at where `matrix` puts each pixel's centre, bilinear."""
    import torch
    from torch.nn import functional

    height, width = size
    y, x = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    places = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix[:2].T
    grid = places / [images.shape[3] / 2, images.shape[2] / 2] - 1.0
    batch = torch.as_tensor(grid, dtype=images.dtype, device=images.device)
    return functional.grid_sample(
        images,
        batch.expand(len(images), -1, -1, -1),
        mode="bilinear",
        padding_mode=padding,
        align_corners=False,
    )
