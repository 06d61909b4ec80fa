"""Masks of a part of an image straight from their runs: the rest of them is never made."""

from __future__ import annotations

import numpy as np

from foldwise.data.placement import Placement, around
from foldwise.masks import IGNORED
from foldwise.masks.runs import Runs, decode


def mask_pixels(runs: Runs, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """Masks as a part of their image shows them, each pixel that of the nearest one.

    Args:
        runs: C masks of one size.
        placement: the part, in pixels of the image that is shown.
        size: height and width of that image, which may have been resized since masks were made.

    Returns:
        (C, h, w) uint8 of 0 and 1; beyond the image `IGNORED`.
    """
    # Pixels of the masks to one of the image.
    down, across = runs.heights[0] / size[0], runs.widths[0] / size[1]
    aligned = placement.aligned
    if aligned is None:
        x, y = placement.points()
        return _sampled(runs, _floor(y * down), _floor(x * across))
    window, height, width = aligned.window, placement.height, placement.width
    if aligned.is_transposed:
        height, width = width, height
    rows = window.top + (np.arange(height) + 0.5) * (window.height / height)
    columns = window.left + (np.arange(width) + 0.5) * (window.width / width)
    found = crossings(runs, _floor(rows * down), _floor(columns * across))
    return aligned.turned(found, axis=1).copy()


def class_pixels(masks: np.ndarray) -> np.ndarray:
    """Exclusive classes: one number for each pixel.

    Args:
        masks: (C, h, w) uint8 of 0, 1 and `IGNORED`; of which one at most is 1 in a place.

    Returns:
        (h, w) uint8 in [0, C); `IGNORED` beyond the image and where no class is.
    """
    found = np.where((masks == 1).any(axis=0), (masks == 1).argmax(axis=0), IGNORED)
    return found.astype(np.uint8)


def crossings(runs: Runs, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Masks at the crossings of rows and columns.

    Args:
        runs: C masks of one size.
        rows: (h,) int64, never falling; they may lie beyond the image and repeat.
        columns: (w,) int64, the same.

    Returns:
        (C, h, w) uint8 of 0 and 1; beyond the image `IGNORED`.
    """
    height, width = int(runs.heights[0]), int(runs.widths[0])
    y, x = (
        slice(*np.searchsorted(each, [0, side]))
        for each, side in ((rows, height), (columns, width))
    )
    shown = _inside(runs, rows[y], columns[x], height)
    if shown.shape[1:] == (len(rows), len(columns)):
        return shown
    found = np.full((len(runs), len(rows), len(columns)), IGNORED, np.uint8)
    found[:, y, x] = shown
    return found


def _inside(runs: Runs, rows: np.ndarray, columns: np.ndarray, height: int) -> np.ndarray:
    """(C, h, w) of crossings that all lie in the image."""
    # Every column once, so that the pixels to look at rise as runs do.
    once, again = np.unique(columns, return_inverse=True)
    num = len(runs)
    if not len(rows) or not len(once):
        return np.zeros((num, len(rows), len(columns)), np.uint8)
    bounds = (int(once[0]) * height, int(once[-1] + 1) * height)
    touched = [_touched(runs, mask, *bounds) for mask in range(num)]
    which = np.concatenate([np.arange(*each) for each in touched])
    owners = np.repeat(np.arange(num), [until - since for since, until in touched])
    starts, ends = runs.starts[which], runs.starts[which] + runs.lengths[which]
    # A run covers the crossings from the first that is not before its start on, up to the first
    # that is not before its end.
    first, last = (_place(each, rows, once, height) for each in (starts, ends))
    is_seen = last > first
    shown = Runs(
        np.full(num, len(rows)),
        np.full(num, len(once)),
        np.concatenate([[0], np.cumsum(np.bincount(owners[is_seen], minlength=num))]),
        first[is_seen],
        (last - first)[is_seen],
    )
    found = np.stack(decode(shown))
    return found if len(once) == len(columns) else found[:, :, again]


def _touched(runs: Runs, mask: int, first: int, last: int) -> tuple[int, int]:
    """From which on and up to which of its runs a mask has pixels from `first` to before `last`."""
    low, high = int(runs.offsets[mask]), int(runs.offsets[mask + 1])
    starts = runs.starts[low:high]
    since, until = (low + int(n) for n in np.searchsorted(starts, [first + 1, last]))
    # The run before may reach into it.
    reaches = since > low and runs.starts[since - 1] + runs.lengths[since - 1] > first
    return (since - 1 if reaches else since), until


def _place(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray, height: int) -> np.ndarray:
    """How many of the crossings lie before each pixel, counted down the columns."""
    x, y = np.divmod(pixels, height)
    column = np.searchsorted(columns, x)
    is_there = columns[np.minimum(column, len(columns) - 1)] == x
    return column * len(rows) + np.where(is_there, np.searchsorted(rows, y), 0)


def _sampled(runs: Runs, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(C, h, w) of masks at points, each with a row and a column of its own."""
    height, width = int(runs.heights[0]), int(runs.widths[0])
    box = around(columns, rows, height, width)
    near = crossings(
        runs, np.arange(box.top, box.top + box.height), np.arange(box.left, box.left + box.width)
    )
    is_inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = (rows - box.top) * box.width + columns - box.left
    found = near.reshape(len(runs), -1)[:, np.where(is_inside, places, 0)]
    found[:, ~is_inside] = IGNORED
    return found


def _floor(places: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.floor(places).astype(np.int64)
    return found
