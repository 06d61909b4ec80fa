"""What lies between a map's components at every threshold: its parts, and which are holes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from foldwise.compiled import jit
from foldwise.masks import IGNORED


class Ground(NamedTuple):
    """The pixels below a threshold, as sets that touch at their sides, each known by a root.

    They are joined from the lowest level up, without short cuts, so that it can be undone link by
    link: thresholds fall, and pixels become part of components.

    Attributes:
        parent: (P,) int32 towards the root of each pixel's set.
        sums: (P, 2) int32 at a root: its pixels that count, those of them that are true.
        first: (P,) int32 at a root: its first pixel.
        at_edge: (P,) int32 at a root: its pixels at the map's edge.
        links: (P,) int32 roots in the order in which they were joined to others.
        before: (P,) int32 for each link, the first pixel of the set that it was joined to.
        edges: (257,) int64, where in `links` those of each level begin.
    """

    parent: np.ndarray
    sums: np.ndarray
    first: np.ndarray
    at_edge: np.ndarray
    links: np.ndarray
    before: np.ndarray
    edges: np.ndarray


@jit
def ground_of(order: np.ndarray, edges: np.ndarray, marks: np.ndarray) -> Ground:
    """All pixels, joined.

    Args:
        order: (P,) int32 pixels by level.
        edges: (257,) int64 where in `order` those of each level begin.
        marks: (W, H) uint8: 1 where it is true, `IGNORED` where nothing counts.
    """
    width, height = marks.shape
    num, mark = width * height, marks.ravel()
    ground = Ground(
        np.full(num, -1, np.int32),
        np.zeros((num, 2), np.int32),
        np.arange(num).astype(np.int32),
        np.zeros(num, np.int32),
        np.empty(num, np.int32),
        np.empty(num, np.int32),
        np.zeros(257, np.int64),
    )
    sizes, num_links = np.ones(num, np.int32), 0
    for level in range(256):
        ground.edges[level] = num_links
        for pixel in order[edges[level] : edges[level + 1]]:
            x, y = pixel // height, pixel % height
            ground.parent[pixel] = pixel
            ground.sums[pixel, 0] = mark[pixel] != IGNORED
            ground.sums[pixel, 1] = mark[pixel] == 1
            ground.at_edge[pixel] = x == 0 or y == 0 or x == width - 1 or y == height - 1
            if y > 0:
                num_links = _link(ground, sizes, pixel, pixel - 1, num_links)
            if y < height - 1:
                num_links = _link(ground, sizes, pixel, pixel + 1, num_links)
            if x > 0:
                num_links = _link(ground, sizes, pixel, pixel - height, num_links)
            if x < width - 1:
                num_links = _link(ground, sizes, pixel, pixel + height, num_links)
    ground.edges[256] = num_links
    return ground


@jit
def _link(ground: Ground, sizes: np.ndarray, pixel: int, other: int, num_links: int) -> int:
    """Join the sets of two pixels, if the other is there; returns how many links there are."""
    if ground.parent[other] < 0:
        return num_links
    one, two = _top(ground, pixel), _top(ground, other)
    if one == two:
        return num_links
    if sizes[one] < sizes[two]:
        one, two = two, one
    ground.links[num_links], ground.before[num_links] = two, ground.first[one]
    ground.parent[two] = one
    sizes[one] += sizes[two]
    ground.sums[one, 0] += ground.sums[two, 0]
    ground.sums[one, 1] += ground.sums[two, 1]
    ground.at_edge[one] += ground.at_edge[two]
    ground.first[one] = min(ground.first[one], ground.first[two])
    return num_links + 1


@jit
def _top(ground: Ground, pixel: int) -> int:
    while ground.parent[pixel] != pixel:
        pixel = ground.parent[pixel]
    return pixel


@jit
def whole(ground: Ground, sets: np.ndarray) -> int:
    """Put the one root that all pixels have into the sets; returns how many there are: 1."""
    sets[0] = _top(ground, 0)
    return 1


@jit
def sets_below(
    ground: Ground, level: int, flat: np.ndarray, sets: np.ndarray, num_sets: int
) -> int:
    """Undo what joined pixels of this level or above: what is left are the sets below it.

    Args:
        ground: as it was for the level above, or whole.
        level: the threshold.
        flat: (P,) uint8.
        sets: (P,) int32, the roots so far, which is changed.
        num_sets: how many there are.

    Returns:
        How many there are now.
    """
    for place in range(ground.edges[level + 1] - 1, ground.edges[level] - 1, -1):
        child = ground.links[place]
        root = ground.parent[child]
        ground.sums[root, 0] -= ground.sums[child, 0]
        ground.sums[root, 1] -= ground.sums[child, 1]
        ground.at_edge[root] -= ground.at_edge[child]
        ground.first[root] = ground.before[place]
        ground.parent[child] = child
        sets[num_sets] = child
        num_sets += 1
    kept = 0
    for place in range(num_sets):
        if flat[sets[place]] < level:
            sets[kept] = sets[place]
            kept += 1
    return kept


@jit
def enclosed(
    ground: Ground,
    sets: np.ndarray,
    roots: np.ndarray,
    owners: np.ndarray,
    sums: np.ndarray,
    height: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Of each component what it encloses, and how large the largest is that encloses it.

    The pixel before the first one of a hole is of the component around it, and the pixel before
    the first one of a component is of the hole or the outside around that.

    Args:
        ground: below the threshold.
        sets: (G,) int32 its roots.
        roots: (K,) int32, rising, the first pixels of the components.
        owners: (P,) int32 the first pixel of the component of each pixel that is in one, or
            another pixel of it that is nearer to that.
        sums: (P, 3) int32, at a component's first pixel: its pixels, those that count and those
            that are true.
        height: pixels in a column.

    Returns:
        (K, 2) int64 pixels that count and are true, holes and what is in them filled; and (K,)
        int64 pixels of the largest component around each, 0 where there is none.
    """
    filled, around = np.empty((len(roots), 2), np.int64), np.zeros(len(roots), np.int64)
    for place, root in enumerate(roots):
        filled[place, 0], filled[place, 1] = sums[root, 1], sums[root, 2]
    num_holes = 0
    for root in sets:
        if ground.at_edge[root] == 0:
            num_holes += 1
            place = _owner(owners, roots, ground.first[root] - height)
            filled[place, 0] += ground.sums[root, 0]
            filled[place, 1] += ground.sums[root, 1]
    if num_holes == 0:
        return filled, around
    parents = np.full(len(roots), -1, np.int64)
    for place, root in enumerate(roots):
        if root >= height:
            hole = _top(ground, root - height)
            if ground.at_edge[hole] == 0:
                parents[place] = _owner(owners, roots, ground.first[hole] - height)
                largest = max(sums[roots[parents[place]], 0], around[parents[place]])
                around[place] = largest
    # What lies within another component begins behind it, so the innermost come first.
    for place in range(len(roots) - 1, -1, -1):
        if parents[place] >= 0:
            filled[parents[place]] += filled[place]
    return filled, around


@jit
def _owner(owners: np.ndarray, roots: np.ndarray, pixel: int) -> int:
    """The place of the component that a pixel is in."""
    while owners[pixel] != pixel:
        pixel = owners[pixel]
    return int(np.searchsorted(roots, pixel))
