"""Where each pixel of a batch's images comes from: moving augmentations as maps, not as copies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from foldwise.data.draws import between


@dataclass(frozen=True)
class Views:
    """What a batch shows of square images of one side; all maps are of that length.

    A pixel (y, x) of view i is the image's (rows[i, y], columns[i, x]), or, where it is turned,
    the image's (columns[i, x], rows[i, y]). Beyond a view's height and width maps say nothing.

    Attributes:
        rows: (B, side) int64.
        columns: (B, side) int64.
        heights: (B,) int64.
        widths: (B,) int64.
        is_turned: (B,) bool.
    """

    rows: np.ndarray
    columns: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    is_turned: np.ndarray

    @classmethod
    def whole(cls, num: int, side: int) -> Views:
        """The images as they are."""
        places = np.broadcast_to(np.arange(side), (num, side))
        sides = np.full(num, side)
        return cls(places, places, sides, sides, np.zeros(num, dtype=bool))

    @property
    def side(self) -> int:
        """Of the images, in pixels."""
        return int(self.rows.shape[1])

    def settled(self) -> Views:
        """The same views of images that are already moved."""
        whole = Views.whole(len(self.rows), self.side)
        return replace(whole, heights=self.heights, widths=self.widths)

    def offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """(B, side) each: their sums are the places of pixels in an image's row-major order."""
        turned = self.is_turned[:, None]
        return (
            np.where(turned, self.rows, self.rows * self.side),
            np.where(turned, self.columns * self.side, self.columns),
        )


def crop_views(
    views: Views,
    draws: np.ndarray,
    *,
    scale: tuple[float, float] = (0.6, 1.0),
    ratio: tuple[float, float] = (0.8, 1.25),
) -> Views:
    """`crop` of each view."""
    area = views.heights * views.widths * between(draws[:, 0], *scale)
    aspect = exponents(between(draws[:, 1], math.log(ratio[0]), math.log(ratio[1])))
    widths = np.clip(np.rint(np.sqrt(area * aspect)).astype(int), 1, views.widths)
    heights = np.clip(np.rint(np.sqrt(area / aspect)).astype(int), 1, views.heights)
    top = (draws[:, 2] * (views.heights - heights + 1)).astype(int)
    left = (draws[:, 3] * (views.widths - widths + 1)).astype(int)
    places = np.arange(views.side)
    last = views.side - 1
    return replace(
        views,
        rows=_taken(views.rows, np.minimum(places + top[:, None], last)),
        columns=_taken(views.columns, np.minimum(places + left[:, None], last)),
        heights=heights,
        widths=widths,
    )


def shift_views(views: Views, draws: np.ndarray, *, fraction: float = 0.1) -> Views:
    """`shift` of each view."""
    down, right = (
        np.rint(between(draws[:, axis], -fraction, fraction) * sides).astype(int)
        for axis, sides in enumerate((views.heights, views.widths))
    )
    return replace(
        views,
        rows=_taken(views.rows, _reflected(views.side, down, views.heights)),
        columns=_taken(views.columns, _reflected(views.side, right, views.widths)),
    )


def hflip_views(views: Views, draws: np.ndarray, *, p: float = 0.5) -> Views:
    """`hflip` of each view."""
    return replace(views, columns=_flipped(views.columns, views.widths, draws[:, 0] < p))


def vflip_views(views: Views, draws: np.ndarray, *, p: float = 0.5) -> Views:
    """`vflip` of each view."""
    return replace(views, rows=_flipped(views.rows, views.heights, draws[:, 0] < p))


def rot90_views(views: Views, draws: np.ndarray) -> Views:
    """`rot90` of each view."""
    quarters = (draws[:, 0] * 4).astype(int)
    # A quarter turn swaps the axes, after a flip of one of them: of columns for the first, of
    # rows for the third; two turns flip both.
    rows = _flipped(views.rows, views.heights, quarters >= 2)
    columns = _flipped(views.columns, views.widths, (quarters == 1) | (quarters == 2))
    swaps = quarters % 2 == 1
    return Views(
        np.where(swaps[:, None], columns, rows),
        np.where(swaps[:, None], rows, columns),
        np.where(swaps, views.widths, views.heights),
        np.where(swaps, views.heights, views.widths),
        views.is_turned ^ swaps,
    )


def exponents(values: np.ndarray) -> np.ndarray:
    """Euler's number to the power of each value."""
    # As for one image: numpy's own may differ in the last bit, and with it a rounded side.
    return np.array([math.exp(value) for value in values.tolist()])


def _taken(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.take_along_axis(maps, places, axis=1)


def _flipped(maps: np.ndarray, lengths: np.ndarray, flips: np.ndarray) -> np.ndarray:
    places = np.broadcast_to(np.arange(maps.shape[1]), maps.shape)
    from_end = np.maximum(lengths[:, None] - 1 - places, 0)
    return _taken(maps, np.where(flips[:, None], from_end, places))


def _reflected(side: int, moved: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    places = np.abs(np.arange(side) - moved[:, None])
    last = lengths[:, None] - 1
    reflected = np.minimum(places, 2 * last - places)
    return np.asarray(np.clip(reflected, 0, side - 1))


#: Name of an augmentation that moves pixels and changes none → the same for a batch.
MOVES: dict[str, Callable[..., Views]] = {
    "crop": crop_views,
    "shift": shift_views,
    "hflip": hflip_views,
    "vflip": vflip_views,
    "rot90": rot90_views,
}
