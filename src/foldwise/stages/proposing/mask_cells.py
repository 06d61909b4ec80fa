"""What masks show in each cell of a coarse grid."""

from __future__ import annotations

import numpy as np

from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import decode
from foldwise.stages.proposing.small_features import CELLS

#: Of a cell's pixels; with fewer of a class it shows neither that nor nothing.
_LEAST_SHARE = 0.02
#: With more pixels that do not count, a cell shows nothing of use.
_MOST_IGNORED = 0.5


def cell_labels(masks: Masks) -> np.ndarray:
    """The class that takes most of each cell.

    Args:
        masks: of N samples, C classes each.

    Returns:
        (N, CELLS, CELLS) int: a class; C where no class is there; -1 where too little of any is,
        where too many pixels do not count, and in images with fewer pixels than cells.
    """
    found = np.full((len(masks), CELLS, CELLS), -1)
    for row in range(len(masks)):
        each = masks[np.array([row])]
        if each.sizes.min() < CELLS:
            continue
        shares = np.zeros((masks.num_classes, CELLS, CELLS))
        there = np.flatnonzero(each.runs.counts)
        for index, mask in zip(there, decode(each.runs.take(there)), strict=True):
            shares[index] = _shares(mask)
        largest = shares.argmax(axis=0)
        shown = np.where(shares.max(axis=0) >= _LEAST_SHARE, largest, -1)
        shown[shares.max(axis=0) == 0] = masks.num_classes
        if each.ignored is not None:
            shown[_shares(decode(each.ignored)[0]) > _MOST_IGNORED] = -1
        found[row] = shown
    return found


def _shares(mask: np.ndarray) -> np.ndarray:
    """(CELLS, CELLS) share of each cell's pixels that are set."""
    height, width = (np.arange(CELLS + 1) * side // CELLS for side in mask.shape)
    rows = np.add.reduceat(mask, height[:-1], axis=0, dtype=np.int64)
    cells = np.add.reduceat(rows, width[:-1], axis=1)
    return cells / np.outer(np.diff(height), np.diff(width))
