"""Which connected components of masks other masks hit, and by how many pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.masks.overlap import covered
from foldwise.masks.runs import Runs
from foldwise.masks.shapes import Connectivity, components


@dataclass(frozen=True)
class Hits:
    """The K components of N masks.

    Attributes:
        owners: (K,) int64 the mask of each; rising.
        areas: (K,) int64 pixels of each that count, at least 1.
        common: (K,) int64 pixels of each that the other mask has.
    """

    owners: np.ndarray
    areas: np.ndarray
    common: np.ndarray

    def __len__(self) -> int:
        return len(self.owners)


def component_hits(
    masks: Runs, others: Runs, ignored: Runs | None = None, *, connectivity: Connectivity = 8
) -> Hits:
    """The components of masks and what the other mask of each pair has of them.

    Of truths beside answers those without a common pixel are missed, of answers beside truths
    they are false.

    Args:
        masks: N masks.
        others: N masks of the same sizes.
        ignored: N masks of pixels that do not count; a component of such pixels alone is none.
        connectivity: 4: pixels that share a side hang together; 8: also those that share a corner.

    Raises:
        ValueError: sizes differ.

    >>> from foldwise.masks.runs import encode
    >>> truth, answer = (encode([np.array([row])]) for row in ([1, 1, 0, 1], [0, 1, 1, 0]))
    >>> hits = component_hits(truth, answer)
    >>> hits.areas.tolist(), hits.common.tolist()
    ([2, 1], [1, 0])
    """
    found = components(masks, connectivity=connectivity)
    num = len(found.areas)

    def summed(pixels: np.ndarray) -> np.ndarray:
        return np.bincount(found.labels, weights=pixels, minlength=num).astype(np.int64)

    areas = found.areas
    if ignored is not None:
        areas = areas - summed(covered(found.pieces, ignored))
    common = summed(covered(found.pieces, others))
    kept = areas > 0
    return Hits(found.owners[kept], areas[kept], common[kept])
