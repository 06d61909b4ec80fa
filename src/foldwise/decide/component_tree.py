"""The components of a map at every threshold at once: their areas, and what of them is true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.compiled import jit
from foldwise.masks import IGNORED

#: Threshold v answers where the map is at least level v; 256: nowhere. 0, everywhere, is left out.
NUM_THRESHOLDS = 257


@dataclass(frozen=True)
class Components:
    """Components of a map, by threshold and area.

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


def components(levels: np.ndarray, truth: np.ndarray) -> Components:
    """The components of every threshold, pixels that touch at a corner joined.

    Pixels are added from the highest level down and joined to those that are there, so that all
    thresholds cost about as much as one.

    Args:
        levels: (H, W) uint8.
        truth: (H, W) bool; or uint8: 1 where it is true, `IGNORED` where nothing counts.

    Source: Najman and Couprie (2006), "Building the component tree in quasi-linear time", IEEE
    Transactions on Image Processing 15(11), 3531-3539.

    >>> found = components(np.array([[9, 0, 5]], np.uint8), np.array([[True, False, False]]))
    >>> [found.areas[found.first[v] : found.last[v]].tolist() for v in (10, 9, 5, 0)]
    [[], [1], [1], []]
    """
    marks = np.ascontiguousarray(truth, dtype=np.uint8)
    return Components(*_components(np.ascontiguousarray(levels), marks))


@jit
def _components(
    levels: np.ndarray, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    height, width = levels.shape
    num = height * width
    flat, mark = levels.ravel(), marks.ravel()
    order, edges = _by_level(flat)
    parent = np.full(num, -1, np.int32)
    # Of each component: all pixels, those that count, those that are true.
    sums = np.zeros((num, 3), np.int32)
    roots, num_roots = np.empty(num, np.int32), 0
    first, last = np.zeros(NUM_THRESHOLDS, np.int64), np.zeros(NUM_THRESHOLDS, np.int64)
    entries, num_entries = np.empty((256, 3), np.int64), 0
    for level in range(255, 0, -1):
        added = order[edges[level] : edges[level + 1]]
        if len(added) == 0:
            first[level], last[level] = first[level + 1], last[level + 1]
            continue
        for pixel in added:
            parent[pixel] = pixel
            sums[pixel, 0] = 1
            sums[pixel, 1] = mark[pixel] != IGNORED
            sums[pixel, 2] = mark[pixel] == 1
            _join_neighbours(pixel, height, width, parent, sums)
        kept = 0
        for place in range(num_roots):
            if parent[roots[place]] == roots[place]:
                roots[kept] = roots[place]
                kept += 1
        for pixel in added:
            if parent[pixel] == pixel:
                roots[kept] = pixel
                kept += 1
        num_roots = kept
        first[level] = num_entries
        entries, num_entries = _grouped(roots[:num_roots], sums, entries, num_entries)
        last[level] = num_entries
    found = entries[:num_entries]
    return first, last, found[:, 0].copy(), found[:, 1].copy(), found[:, 2].copy()


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
def _join_neighbours(
    pixel: int, height: int, width: int, parent: np.ndarray, sums: np.ndarray
) -> None:
    y, x = pixel // width, pixel % width
    for ny in range(max(y - 1, 0), min(y + 2, height)):
        for nx in range(max(x - 1, 0), min(x + 2, width)):
            other = ny * width + nx
            if parent[other] < 0 or other == pixel:
                continue
            one, two = _root(parent, pixel), _root(parent, other)
            if one == two:
                continue
            if sums[one, 0] < sums[two, 0]:
                one, two = two, one
            parent[two] = one
            sums[one] += sums[two]


@jit
def _root(parent: np.ndarray, pixel: int) -> int:
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@jit
def _grouped(
    roots: np.ndarray, sums: np.ndarray, entries: np.ndarray, num: int
) -> tuple[np.ndarray, int]:
    """The entries with those of these components behind them, and how many there are."""
    if num + len(roots) > len(entries):
        more = np.empty((2 * (num + len(roots)), 3), np.int64)
        more[:num] = entries[:num]
        entries = more
    begin = num
    for root in roots[np.argsort(sums[roots, 0])]:
        if num > begin and entries[num - 1, 0] == sums[root, 0]:
            entries[num - 1, 1] += sums[root, 1]
            entries[num - 1, 2] += sums[root, 2]
        else:
            entries[num] = sums[root]
            num += 1
    return entries, num
