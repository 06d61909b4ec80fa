"""How many defects were hit at all: of the groups that show one, those with a hit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise.metrics.mask_counts import MaskCounts
from foldwise.metrics.metric import divide


@dataclass(frozen=True)
class DefectRecall:
    """Groups by class.

    Attributes:
        hit: (C,) int64 groups with an image in which the class was hit.
        there: (C,) int64 groups with an image that shows it.
    """

    hit: np.ndarray
    there: np.ndarray

    @property
    def per_class(self) -> np.ndarray:
        """(C,) float64 share of its groups in which a class was hit; NaN where no group has it."""
        return divide(self.hit, self.there, otherwise=np.nan)

    @property
    def overall(self) -> float:
        """Share of all pairs of group and class that show a defect; NaN where none does."""
        return float(divide(self.hit.sum(), self.there.sum(), otherwise=np.nan))


def recall_of_defects(
    counts: MaskCounts,
    groups: np.ndarray | None = None,
    *,
    measure: Literal["iou", "overlap"] = "overlap",
    above: float = 0.0,
) -> DefectRecall:
    """Count the groups in which a class was hit in one of the images that show it.

    Near duplicates, such as one tile under six exposures, are one defect and not six.

    Args:
        counts: (N, C).
        groups: (N,) labels of what belongs together; None: every image for itself.
        measure: `overlap`, the share of the truth that was found, or `iou`.
        above: an image is hit where the measure is above this, in [0, 1).

    Raises:
        ValueError: groups of another length.
    """
    labels = np.arange(len(counts)) if groups is None else np.asarray(groups)
    if labels.shape != (len(counts),):
        raise ValueError(f"groups have shape {labels.shape} for {len(counts)} rows")
    whole = counts.true if measure == "overlap" else counts.union
    is_there = counts.true > 0
    is_hit = divide(counts.common, whole, otherwise=0.0) > above
    names, units = np.unique(labels, return_inverse=True)
    marks = np.zeros((2, len(names), counts.true.shape[1]), dtype=bool)
    for mark, rows in zip(marks, (is_hit, is_there), strict=True):
        np.logical_or.at(mark, units, rows)
    hit, there = marks.sum(axis=1)
    return DefectRecall(hit, there)
