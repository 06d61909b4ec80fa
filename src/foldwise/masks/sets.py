"""Masks made of masks: unions of several, and what is not in one."""

from __future__ import annotations

import numpy as np

from foldwise.masks.runs import Runs


def unite(runs: Runs, groups: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> Runs:
    """The union of the masks of each group.

    Args:
        runs: N masks.
        groups: (N,) int the group of each, in [0, G).
        heights: (G,) int pixels of the groups' masks, the same as their members'.
        widths: (G,) int pixels.

    Returns:
        G masks; that of a group without members is empty.
    """
    heights, widths = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    # One after the other on a line, with a pixel between, over which no run goes on.
    places = np.concatenate([[0], np.cumsum(heights * widths + 1)])
    starts = runs.starts + places[np.asarray(groups, np.int64)[runs.owners]]
    edges = np.concatenate([starts, starts + runs.lengths])
    order = np.argsort(edges, kind="stable")  # Of equal ones starts come first: runs go on.
    change = np.where(order < len(starts), 1, -1)
    depth = np.cumsum(change)
    edges = edges[order]
    starts, ends = edges[(depth == 1) & (change == 1)], edges[depth == 0]
    owners = np.searchsorted(places, starts, side="right") - 1
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(heights)))])
    return Runs(heights, widths, offsets, starts - places[owners], ends - starts)


def complement(runs: Runs) -> Runs:
    """The pixels that each mask does not have."""
    starts = np.insert(runs.ends, runs.offsets[:-1], 0)
    ends = np.insert(runs.starts, runs.offsets[1:], runs.heights * runs.widths)
    owners = np.repeat(np.arange(len(runs)), runs.counts + 1)
    kept = np.flatnonzero(ends > starts)
    counts = np.bincount(owners[kept], minlength=len(runs))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Runs(runs.heights, runs.widths, offsets, starts[kept], (ends - starts)[kept])
