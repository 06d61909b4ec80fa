"""Images of class numbers, one a pixel, as the masks of their classes and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.masks import IGNORED
from foldwise.masks.pixels import paint
from foldwise.masks.runs import Runs, join
from foldwise.masks.sets import unite

_UNKNOWN = -1


@dataclass(frozen=True)
class Indexed:
    """N images' classes: the N * C masks, image by image, and (N) masks of what is not counted."""

    masks: Runs
    ignored: Runs


def encode_indexed(
    images: Iterable[np.ndarray],
    *,
    values: Sequence[int],
    ignored: Sequence[int] = (IGNORED,),
    name: Callable[[int], str] = "image {}".format,
) -> Indexed:
    """The masks of exclusive classes.

    Args:
        images: each (H, W) uint8; sizes may differ.
        values: the pixel value of each of the C classes.
        ignored: pixel values that are not counted.
        name: says which image it is, from its position.

    Raises:
        DataError: pixels of other values; names image, values and how many there are.
        ValueError: an image is not (H, W) uint8, or a value is listed twice.
    """
    table = _classes(values, ignored)
    parts, sizes, problems = [], [], []
    for number, image in enumerate(images):
        starts, lengths, classes = _pieces(image, table)
        if (classes == _UNKNOWN).any():
            problems.append(f"{name(number)}: {_strange(image, table)}")
        parts += [
            (starts[of_class], lengths[of_class])
            for of_class in (np.flatnonzero(classes == index) for index in range(len(values) + 1))
        ]
        sizes += [image.shape] * (len(values) + 1)
    if problems:
        known = ", ".join(str(value) for value in values)
        raise DataError(*limited(problems), remedy=f"pixels of the classes are {known}")
    every = join(Runs.of(parts, sizes))
    is_ignored = np.arange(len(every)) % (len(values) + 1) == len(values)
    return Indexed(every.take(~is_ignored), every.take(is_ignored))


def decode_indexed(
    masks: Runs, *, values: Sequence[int], ignored: Runs | None = None, other: int = IGNORED
) -> list[np.ndarray]:
    """Each image as (H, W) uint8 pixel values, in Fortran order.

    Args:
        masks: N * C, image by image; those of one image do not overlap.
        values: the pixel value of each of the C classes.
        ignored: N masks of pixels that are not counted; they become 255.
        other: the value of pixels that are in no mask.

    Raises:
        ValueError: masks of one image overlap, or not C of each.
    """
    num_classes = len(values)
    if len(masks) % num_classes:
        raise ValueError(f"{len(masks)} masks are not some of each of {num_classes} classes")
    first = masks.take(np.arange(0, len(masks), num_classes))
    owners = np.arange(len(masks)) // num_classes
    _refuse_overlaps(masks, unite(masks, owners, first.heights, first.widths), num_classes)
    images = []
    for number in range(len(first)):
        pixels = np.full(int(first.heights[number] * first.widths[number]), other, np.uint8)
        for index, value in enumerate(values):
            _paint_one(pixels, masks, number * num_classes + index, value)
        if ignored is not None:
            _paint_one(pixels, ignored, number, IGNORED)
        images.append(pixels.reshape(first.widths[number], first.heights[number]).T)
    return images


def _classes(values: Sequence[int], ignored: Sequence[int]) -> np.ndarray:
    """(256,) int64 class of each pixel value; C: not counted."""
    table = np.full(256, _UNKNOWN)
    table[list(ignored)] = len(values)
    # A class may have the value that is elsewhere not counted.
    table[list(values)] = np.arange(len(values))
    if len(set(values)) < len(values):
        raise ValueError(f"values {list(values)} name a pixel value twice")
    return table


def _pieces(image: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, lengths and classes of runs of one value, down the columns."""
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"an image of shape {image.shape} and {image.dtype}, wanted (H, W) uint8")
    pixels = image.ravel(order="F")
    starts = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts = np.concatenate([[0], starts]) if len(pixels) else starts
    lengths = np.diff(starts, append=len(pixels))
    return starts, lengths, table[pixels[starts]]


def _strange(image: np.ndarray, table: np.ndarray) -> str:
    counts = np.bincount(image.ravel(), minlength=256)
    found = np.flatnonzero((counts > 0) & (table == _UNKNOWN))
    told = ", ".join(f"{value} ({counts[value]})" for value in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"pixels of no class: {told}{more}"


def _refuse_overlaps(masks: Runs, united: Runs, num_classes: int) -> None:
    excess = masks.areas.reshape(-1, num_classes).sum(axis=1) - united.areas
    if excess.any():
        number = int(np.flatnonzero(excess)[0])
        raise ValueError(f"image {number}: classes overlap in {excess[number]} pixels")


def _paint_one(pixels: np.ndarray, masks: Runs, number: int, value: int) -> None:
    one = masks.take(np.array([number]))
    paint(pixels, np.zeros(1, np.int64), one.ragged, value=value)
