"""Areas of overlap, Dice and IoU of masks, from their runs."""

from __future__ import annotations

import numpy as np

from foldwise.masks import kernels
from foldwise.masks.compiling import compiled
from foldwise.masks.runs import Runs


def intersections(first: Runs, second: Runs) -> np.ndarray:
    """(N,) int64 pixels that both masks of each pair have.

    Args:
        first: N masks.
        second: N masks of the same sizes.

    Raises:
        ValueError: sizes differ.
    """
    return _overlaps(first, second)[0]


def dice(first: Runs, second: Runs) -> np.ndarray:
    """(N,) float64 twice the overlap over the sum of areas; 1 where both masks are empty.

    Source: Dice (1945), "Measures of the amount of ecologic association between species".

    >>> from foldwise.masks.runs import encode
    >>> one, two = (encode([np.array([row], dtype=bool)]) for row in ([1, 1, 0], [0, 1, 0]))
    >>> dice(one, two).round(3).tolist()
    [0.667]
    """
    common, total = _overlaps(first, second)
    return _share(2 * common, total)


def iou(first: Runs, second: Runs) -> np.ndarray:
    """(N,) float64 overlap over union; 1 where both masks are empty."""
    common, total = _overlaps(first, second)
    return _share(common, total - common)


def covered(first: Runs, second: Runs) -> np.ndarray:
    """(R,) int64 pixels of each run of the first masks that the second mask of its pair has.

    Args:
        first: N masks of R runs in all, which may touch.
        second: N masks of the same sizes.

    Raises:
        ValueError: sizes differ.

    >>> from foldwise.masks.runs import encode
    >>> covered(encode([np.array([[1, 1, 0, 1]])]), encode([np.array([[0, 1, 1, 0]])])).tolist()
    [1, 0]
    """
    _check_sizes(first, second)
    places = first.places[:-1]
    starts = second.starts + places[second.owners]
    ends = np.concatenate([[0], starts + second.lengths])
    before = np.concatenate([[0], np.cumsum(second.lengths)])

    def up_to(at: np.ndarray) -> np.ndarray:
        """Pixels of the second masks that lie before a place, all masks on one line."""
        started = np.searchsorted(starts, at)
        found: np.ndarray = before[started] - np.maximum(ends[started] - at, 0)
        return found

    begin = first.starts + places[first.owners]
    found: np.ndarray = up_to(begin + first.lengths) - up_to(begin)
    return found


def _overlaps(first: Runs, second: Runs) -> tuple[np.ndarray, np.ndarray]:
    """(N,) int64 pixels that both masks of each pair have, and the sum of their areas."""
    _check_sizes(first, second)
    common = np.zeros(len(first), np.int64)
    num_runs = len(first.starts) + len(second.starts)
    if overlaps := compiled(kernels.overlaps, 60 * num_runs):
        total = np.empty(len(first), np.int64)
        overlaps(*first.ragged, *second.ragged, common, total)
        return common, total
    both = np.flatnonzero((first.counts > 0) & (second.counts > 0))
    if len(both):
        common[both] = _common(first.take(both), second.take(both))
    return common, first.areas + second.areas


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(whole > 0, part / np.maximum(whole, 1), 1.0)
    return found


def _check_sizes(first: Runs, second: Runs) -> None:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} masks against {len(second)}")
    differ = (first.heights != second.heights) | (first.widths != second.widths)
    if differ.any():
        row = int(np.flatnonzero(differ)[0])
        sizes = (f"{each.heights[row]} x {each.widths[row]}" for each in (first, second))
        raise ValueError(f"mask {row}: sizes differ, {' and '.join(sizes)}")


def _common(first: Runs, second: Runs) -> np.ndarray:
    """Overlaps of masks of which none is empty.

    All lie on one line, one behind the other. Of the pieces between two edges those count that lie
    in a run of both.
    """
    sizes = first.heights * first.widths
    places = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    edges = np.concatenate([_edges(each, places) for each in (first, second)])
    order = np.argsort(edges, kind="stable")  # Two sorted halves: merged in one pass.
    edges = edges[order]
    change = np.ones(len(order), np.int8)
    change[1::2] = -1
    depth = np.cumsum(change[order], dtype=np.int8)
    pieces = np.diff(edges, append=edges[-1]) * (depth == 2)
    found: np.ndarray = np.add.reduceat(pieces, 2 * (first.offsets + second.offsets)[:-1])
    return found


def _edges(runs: Runs, places: np.ndarray) -> np.ndarray:
    starts = runs.starts + np.repeat(places, runs.counts)
    edges = np.empty(2 * len(starts), np.int64)
    edges[::2] = starts
    edges[1::2] = starts + runs.lengths
    return edges
