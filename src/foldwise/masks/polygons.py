"""Polygons filled as COCO's reference code fills them, pixel for pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.masks.runs import Runs, join
from foldwise.masks.sets import unite

_FINER = 5


def fill_polygons(
    outlines: Sequence[Sequence[Sequence[float]]],
    heights: np.ndarray,
    widths: np.ndarray,
    *,
    name: Callable[[int], str] = "mask {}".format,
) -> Runs:
    """The masks of outlines; one mask may have several, of which it is the union.

    A border is walked on a grid five times finer, and a pixel column changes where the border
    crosses its middle; equal to pycocotools' `frPyObjects` and `merge` to the pixel.

    Args:
        outlines: of each of N masks a list of polygons, x, y, x, y, ... in pixels.
        heights: (N,) int pixels.
        widths: (N,) int pixels.
        name: says which mask it is, from its position.

    Raises:
        DataError: a polygon of fewer than three points, an odd number of coordinates, or one that
            is not finite.

    Source: `rleFrPoly` in cocodataset/cocoapi, common/maskApi.c.

    >>> square = [1, 1, 3, 1, 3, 3, 1, 3]
    >>> fill_polygons([[square]], np.array([4]), np.array([4])).areas.tolist()
    [4]
    """
    parts, owners, problems = [], [], []
    for number, polygons in enumerate(outlines):
        for place, polygon in enumerate(polygons, start=1):
            points = np.asarray(polygon, np.float64)
            if points.ndim != 1 or len(points) % 2 or len(points) < 6:
                what = f"polygon {place} has {points.size} coordinates"
                problems.append(f"{name(number)}: {what}, wanted x and y of three points or more")
            elif not np.isfinite(points).all():
                problems.append(f"{name(number)}: polygon {place} has a coordinate without value")
            else:
                size = int(heights[number]), int(widths[number])
                parts.append(_fill(points.reshape(-1, 2), *size))
                owners.append(number)
    if problems:
        raise DataError(*limited(problems))
    groups = np.array(owners, np.int64)
    sizes = np.stack([heights, widths], axis=1)[groups]
    single = join(Runs.of(parts, sizes.tolist()))
    return unite(single, groups, heights, widths)


def _fill(points: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of one polygon's runs; some may touch."""
    x, y = _walk(np.trunc(_FINER * points + 0.5).astype(np.int64))
    # Only steps to another column of the fine grid, over the middle of a column of pixels.
    before, after = np.minimum(x[1:], x[:-1]), np.minimum(y[1:], y[:-1])
    column, rest = np.divmod(before - _FINER // 2, _FINER)
    crosses = (x[1:] != x[:-1]) & (rest == 0) & (column >= 0) & (column < width)
    row = np.ceil(np.clip((after[crosses] + 0.5) / _FINER - 0.5, 0, height)).astype(np.int64)
    edges, times = np.unique(column[crosses] * height + row, return_counts=True)
    edges = edges[times % 2 == 1]
    if len(edges) % 2:
        edges = np.append(edges, height * width)
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    return starts[lengths > 0], lengths[lengths > 0]


def _walk(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All points of the fine grid on a closed border, in order."""
    ends = np.roll(points, -1, axis=0)
    spans = np.abs(ends - points)
    is_flat = spans[:, 0] >= spans[:, 1]
    major = np.where(is_flat, 0, 1)
    rows = np.arange(len(points))
    # Each side is walked from its lower end, so that it is the same in both directions.
    is_turned = points[rows, major] > ends[rows, major]
    low = np.where(is_turned[:, None], ends, points)
    high = np.where(is_turned[:, None], points, ends)
    length = spans[rows, major]
    rise = (high - low)[rows, 1 - major] / np.maximum(length, 1)
    counts = length + 1
    side = np.repeat(rows, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    step = np.where(is_turned[side], length[side] - step, step)
    along = low[side, major[side]] + step
    across = np.trunc(low[side, 1 - major[side]] + rise[side] * step + 0.5).astype(np.int64)
    flat = is_flat[side]
    return np.where(flat, along, across), np.where(flat, across, along)
