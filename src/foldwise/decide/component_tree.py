"""The components of a map at every threshold at once: their areas, and what of them is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from foldwise.compiled import jit
from foldwise.decide.ground_tree import enclosed, ground_of, sets_below, whole
from foldwise.masks import IGNORED

#: Threshold v answers where the map is at least level v; 256: nowhere. 0, everywhere, is left out.
NUM_THRESHOLDS = 257


class Shape(NamedTuple):
    """What becomes of the components that are large enough.

    Attributes:
        largest_only: the largest alone is kept, of equally large ones the first.
        fill: their holes are answered, too.
    """

    largest_only: bool
    fill: bool


#: The simplest first.
SHAPES = (Shape(False, False), Shape(False, True), Shape(True, False), Shape(True, True))


@dataclass(frozen=True)
class Components:
    """Components of a map, by threshold and area.

    What is answered with a smallest area is the sum of the entries of at least that area. With
    filled holes an entry may be below 0: a component counts for nothing while it lies within one
    that is kept.

    Attributes:
        first: (257,) int64 where the entries of each threshold begin; none are of threshold 0.
        last: (257,) int64 where they end. Thresholds that answer alike share their entries.
        areas: (E,) int64 pixels of a component, rising within a threshold.
        answered: (E,) int64 pixels of all components of that area, as far as they count.
        common: (E,) int64 those of them that are true.
    """

    first: np.ndarray
    last: np.ndarray
    areas: np.ndarray
    answered: np.ndarray
    common: np.ndarray


def components(levels: np.ndarray, truth: np.ndarray) -> dict[Shape, Components]:
    """The components of every threshold, pixels that touch at a corner joined, by shape.

    Pixels are added from the highest level down and joined to those that are there, so that all
    thresholds cost about as much as one. What is not yet there is taken apart at the same time:
    its parts that do not reach the map's edge are holes.

    Args:
        levels: (H, W) uint8.
        truth: (H, W) bool; or uint8: 1 where it is true, `IGNORED` where nothing counts.

    Source: Najman and Couprie (2006), "Building the component tree in quasi-linear time", IEEE
    Transactions on Image Processing 15(11), 3531-3539.

    >>> truth = np.array([[True, False, False]])
    >>> found = components(np.array([[9, 0, 5]], np.uint8), truth)[Shape(False, False)]
    >>> [found.areas[found.first[v] : found.last[v]].tolist() for v in (10, 9, 5, 0)]
    [[], [1], [1], []]
    """
    # Columns as rows: a component's first pixel is then the one with the least number.
    columns = np.ascontiguousarray(levels.T)
    marks = np.ascontiguousarray(truth.T, dtype=np.uint8)
    first, last, entries = _components(columns, marks)
    areas, answered, common = entries.T.copy()
    return {
        shape: Components(first[place], last[place], areas, answered, common)
        for place, shape in enumerate(SHAPES)
    }


@jit
def _components(levels: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(4, 257) first and last entries of each shape, and (E, 3) area, answered, common."""
    num, height = levels.size, levels.shape[1]
    flat = levels.ravel()
    order, edges = _by_level(flat)
    ground, sets = ground_of(order, edges, marks), np.zeros(num, np.int32)
    num_sets = whole(ground, sets)
    parent, sums = np.full(num, -1, np.int32), np.zeros((num, 3), np.int32)
    roots = np.empty(0, np.int32)
    first, last = np.zeros((4, NUM_THRESHOLDS), np.int64), np.zeros((4, NUM_THRESHOLDS), np.int64)
    entries, num_entries = np.empty((256, 3), np.int64), 0
    for level in range(255, 0, -1):
        added = order[edges[level] : edges[level + 1]]
        if len(added) == 0:
            first[:, level], last[:, level] = first[:, level + 1], last[:, level + 1]
            continue
        num_sets = sets_below(ground, level, flat, sets, num_sets)
        roots = _with_added(added, roots, marks, parent, sums)
        inside, around = enclosed(ground, sets[:num_sets], roots, parent, sums, height)
        for place, rows in enumerate(_rows(roots, sums, inside, around)):
            first[place, level] = num_entries
            entries, num_entries = _grouped(rows, entries, num_entries)
            last[place, level] = num_entries
    return first, last, entries[:num_entries]


@jit
def _by_level(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in the order of their levels, and where those of each level begin."""
    edges = np.zeros(257, np.int64)
    for value in flat:
        edges[value + 1] += 1
    edges = np.cumsum(edges)
    place, order = edges[:-1].copy(), np.empty(len(flat), np.int32)
    for pixel, value in enumerate(flat):
        order[place[value]] = pixel
        place[value] += 1
    return order, edges


@jit
def _with_added(
    added: np.ndarray, roots: np.ndarray, marks: np.ndarray, parent: np.ndarray, sums: np.ndarray
) -> np.ndarray:
    """Add pixels to the components; returns the first pixels of these, rising."""
    width, height = marks.shape
    mark = marks.ravel()
    for pixel in added:
        parent[pixel] = pixel
        sums[pixel, 0] = 1
        sums[pixel, 1] = mark[pixel] != IGNORED
        sums[pixel, 2] = mark[pixel] == 1
        _join_neighbours(pixel, width, height, parent, sums)
    found, kept = np.empty(len(roots) + len(added), np.int32), 0
    for pixels in (roots, added):
        for pixel in pixels:
            if parent[pixel] == pixel:
                found[kept] = pixel
                kept += 1
    return np.sort(found[:kept])


@jit
def _join_neighbours(
    pixel: int, width: int, height: int, parent: np.ndarray, sums: np.ndarray
) -> None:
    x, y = pixel // height, pixel % height
    for nx in range(max(x - 1, 0), min(x + 2, width)):
        for ny in range(max(y - 1, 0), min(y + 2, height)):
            other = nx * height + ny
            if parent[other] < 0 or other == pixel:
                continue
            one, two = _root(parent, pixel), _root(parent, other)
            if one == two:
                continue
            if one > two:
                one, two = two, one
            parent[two] = one
            for column in range(3):
                sums[one, column] += sums[two, column]


@jit
def _root(parent: np.ndarray, pixel: int) -> int:
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@jit
def _rows(
    roots: np.ndarray, sums: np.ndarray, inside: np.ndarray, around: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Area, answered and common of what each shape answers, as in `SHAPES`."""
    num = len(roots)
    plain, filled = np.empty((num, 3), np.int64), np.empty((2 * num, 3), np.int64)
    largest, num_filled = 0, 0
    for place, root in enumerate(roots):
        plain[place] = sums[root]
        area = plain[place, 0]
        if area > plain[largest, 0]:
            largest = place
        if around[place] >= area:
            continue
        filled[num_filled, 0], filled[num_filled, 1:] = area, inside[place]
        num_filled += 1
        if around[place] > 0:  # As long as that is kept, it holds this one, too.
            filled[num_filled, 0], filled[num_filled, 1:] = around[place], -inside[place]
            num_filled += 1
    alone, whole_one = plain[largest : largest + 1], np.empty((1, 3), np.int64)
    whole_one[0, 0], whole_one[0, 1:] = alone[0, 0], inside[largest]
    return plain, filled[:num_filled], alone, whole_one


@jit
def _grouped(rows: np.ndarray, entries: np.ndarray, num: int) -> tuple[np.ndarray, int]:
    """The entries with these rows behind them, those of one area as one, and how many there are."""
    if num + len(rows) > len(entries):
        more = np.empty((2 * (num + len(rows)), 3), np.int64)
        more[:num] = entries[:num]
        entries = more
    begin = num
    for place in np.argsort(rows[:, 0]):
        if num > begin and entries[num - 1, 0] == rows[place, 0]:
            entries[num - 1, 1:] += rows[place, 1:]
        else:
            entries[num] = rows[place]
            num += 1
    return entries, num
