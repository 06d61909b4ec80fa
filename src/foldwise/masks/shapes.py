"""Connected components of masks, from their runs: counted, dropped, kept and filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from foldwise.masks.runs import Runs, concatenate, encode, join
from foldwise.masks.sets import complement, unite

Connectivity = Literal[4, 8]


@dataclass(frozen=True)
class Components:
    """The connected components of N masks, K in all, mask by mask.

    Attributes:
        pieces: the masks' runs, cut where a column ends.
        labels: (P,) int64 the component of each piece.
        owners: (K,) int64 the mask of each component; rising.
        areas: (K,) int64 pixels of each.
    """

    pieces: Runs
    labels: np.ndarray
    owners: np.ndarray
    areas: np.ndarray


def components(runs: Runs, *, connectivity: Connectivity = 8) -> Components:
    """What hangs together in each mask.

    Args:
        runs: N masks.
        connectivity: 4: pixels that share a side hang together; 8: also those that share a corner.

    Returns:
        The components, those of one mask in the order of their first pixels, down the columns.
    """
    pieces = cut(runs)
    first, second = _neighbours(pieces, connectivity)
    num = len(pieces.starts)
    graph = sparse.coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(num, num))
    found = sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    _, heads, labels = np.unique(found, return_index=True, return_inverse=True)
    order = np.argsort(heads)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    labels = places[labels]
    areas = np.bincount(labels, weights=pieces.lengths, minlength=len(heads)).astype(np.int64)
    return Components(pieces, labels, pieces.owners[heads[order]], areas)


def drop_small(runs: Runs, min_area: int | np.ndarray, *, connectivity: Connectivity = 8) -> Runs:
    """The masks without components of fewer pixels than `min_area`, one number or (N,)."""
    found = components(runs, connectivity=connectivity)
    least = np.broadcast_to(min_area, len(runs))[found.owners]
    return _kept(found, found.areas >= least)


def keep_largest(runs: Runs, *, connectivity: Connectivity = 8) -> Runs:
    """Each mask's largest component; of several equally large ones the first."""
    found = components(runs, connectivity=connectivity)
    order = np.lexsort((-found.areas, found.owners))  # Stable: the first of equals stays first.
    is_first = np.diff(found.owners[order], prepend=-1) > 0
    is_kept = np.zeros(len(order), np.bool_)
    is_kept[order[is_first]] = True
    return _kept(found, is_kept)


def fill_holes(runs: Runs) -> Runs:
    """The masks with their holes: what no path over pixels' sides leads out of."""
    outside = components(complement(runs), connectivity=4)
    pieces = outside.pieces
    heights, widths = pieces.heights[pieces.owners], pieces.widths[pieces.owners]
    column, top = np.divmod(pieces.starts, heights)
    is_edge = (column == 0) | (column == widths - 1)
    is_edge |= (top == 0) | (top + pieces.lengths == heights)
    is_hole = np.bincount(outside.labels, weights=is_edge, minlength=len(outside.areas)) == 0
    both = concatenate([runs, _kept(outside, is_hole)])
    return unite(both, np.tile(np.arange(len(runs)), 2), runs.heights, runs.widths)


def label(mask: np.ndarray, *, connectivity: Connectivity = 8) -> np.ndarray:
    """(H, W) int32 the component of each pixel, from 1; 0 outside a mask (H, W).

    >>> label(np.array([[1, 0, 1], [1, 0, 0]])).tolist()
    [[1, 0, 2], [1, 0, 0]]
    """
    found = components(encode([mask]), connectivity=connectivity)
    starts, lengths = found.pieces.starts, found.pieces.lengths
    pixels = np.zeros(mask.size, np.int32)
    before = np.cumsum(lengths) - lengths
    at = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
    pixels[at] = np.repeat(found.labels + 1, lengths)
    return pixels.reshape(mask.shape[::-1]).T


def cut(runs: Runs) -> Runs:
    """The same masks with runs that go on in the next column cut there; no longer joined."""
    heights = runs.heights[runs.owners]
    first, last = runs.starts // heights, (runs.ends - 1) // heights
    counts = last - first + 1
    before = np.cumsum(counts) - counts
    columns = np.repeat(first - before, counts) + np.arange(counts.sum())
    heads = columns * np.repeat(heights, counts)
    starts = np.maximum(np.repeat(runs.starts, counts), heads)
    ends = np.minimum(np.repeat(runs.ends, counts), heads + np.repeat(heights, counts))
    totals = np.concatenate([[0], np.cumsum(counts)])
    return Runs(runs.heights, runs.widths, totals[runs.offsets], starts, ends - starts)


def _neighbours(pieces: Runs, connectivity: Connectivity) -> tuple[np.ndarray, np.ndarray]:
    """(E,) pairs of pieces that touch, each with one of the next column.

    All masks lie on one line, their columns apart by two pixels and they by a column, so that
    only what truly touches does so when moved by one column.
    """
    stride = pieces.heights + 2
    sizes = stride * (pieces.widths + 1)
    owners = pieces.owners
    column, top = np.divmod(pieces.starts, pieces.heights[owners])
    starts = (np.cumsum(sizes) - sizes)[owners] + column * stride[owners] + top
    ends = starts + pieces.lengths
    by_corner = connectivity == 8
    moved = stride[owners]
    low = np.searchsorted(ends, starts + moved, side="left" if by_corner else "right")
    high = np.searchsorted(starts, ends + moved, side="right" if by_corner else "left")
    counts = np.maximum(high - low, 0)
    before = np.cumsum(counts) - counts
    first = np.repeat(np.arange(len(starts)), counts)
    return first, np.repeat(low - before, counts) + np.arange(counts.sum())


def _kept(found: Components, is_kept: np.ndarray) -> Runs:
    pieces = found.pieces
    stays = is_kept[found.labels]
    counts = np.bincount(pieces.owners[stays], minlength=len(pieces))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    kept = Runs(pieces.heights, pieces.widths, offsets, pieces.starts[stays], pieces.lengths[stays])
    return join(kept)
