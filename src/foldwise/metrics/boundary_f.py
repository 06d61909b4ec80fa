"""Boundary F: how much of the outlines of answer and truth lie close to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from foldwise.masks.runs import Runs, decode
from foldwise.metrics.mask_counts import rows_of, uncounted
from foldwise.metrics.metric import Metric, Reweighted, divide, mean_of

_TOLERANCE = 0.0075


@dataclass(frozen=True)
class BoundaryCounts:
    """Pixels on the outlines of each class in each image.

    Attributes:
        precise: (N, C) int64, those of the answer that are close to one of the truth.
        answered: (N, C) int64, of the answer.
        found: (N, C) int64, those of the truth that are close to one of the answer.
        true: (N, C) int64, of the truth.
        tolerance: what is close, as a share of the image's diagonal.
    """

    precise: np.ndarray
    answered: np.ndarray
    found: np.ndarray
    true: np.ndarray
    tolerance: float = _TOLERANCE

    def __len__(self) -> int:
        return len(self.precise)

    def __getitem__(self, rows: Any, /) -> Self:
        names = ("precise", "answered", "found", "true")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def size(self) -> int:
        """Numbers in all."""
        return 4 * self.precise.size


def boundary_f(
    counts: BoundaryCounts,
    weight: np.ndarray | None = None,
    *,
    tolerance: Annotated[float, Field(ge=0, le=1)] = _TOLERANCE,
) -> float:
    """Mean over images of the mean over classes of the F1 of outlines.

    Args:
        counts: (N, C), as `count_boundaries` gives them.
        weight: (N,) float, or None for ones.
        tolerance: pixels of two outlines match that are at most this share of the image's
            diagonal apart.

    Returns:
        Score in [0, 1]. Of each image those classes count that are in it or in its answer; an
        image without anything, answered by nothing, scores 1.

    Raises:
        ValueError: the outlines were compared at another tolerance.

    Source: Csurka et al. (2013), "What is a good evaluation measure for semantic segmentation?",
    BMVC.
    """
    return prepare_boundary_f(counts, tolerance=tolerance)(weight)


def prepare_boundary_f(counts: BoundaryCounts, *, tolerance: float = _TOLERANCE) -> Reweighted:
    """`boundary_f` as a function of the weights."""
    if counts.tolerance != tolerance:
        raise ValueError(
            f"outlines were compared at a tolerance of {counts.tolerance}, asked is {tolerance}"
        )
    scores = f1_of_outlines(counts)
    there = ~np.isnan(scores)
    sums = np.where(there, scores, 0.0).sum(axis=1)
    return mean_of(divide(sums, there.sum(axis=1), otherwise=1.0))


def f1_of_outlines(counts: BoundaryCounts) -> np.ndarray:
    """(N, C) float64 in [0, 1]; NaN where answer and truth are both empty."""
    precision = divide(counts.precise, counts.answered, otherwise=0.0)
    recall = divide(counts.found, counts.true, otherwise=0.0)
    scores = divide(2 * precision * recall, precision + recall, otherwise=0.0)
    is_empty = (counts.answered == 0) & (counts.true == 0)
    return np.where(is_empty, np.nan, scores)


def count_boundaries(
    answers: Runs,
    truths: Runs,
    num_classes: int,
    ignored: Runs | None = None,
    *,
    tolerance: float = _TOLERANCE,
) -> BoundaryCounts:
    """Compare outlines: a mask's pixels of which one of the four neighbours is not in it.

    What lies beyond the image is in no mask, as in Matlab's `bwperim`. This needs pixels: masks
    are decoded pair by pair.

    Args:
        answers: N * C masks, image by image, class by class within it.
        truths: as many, of the same sizes.
        num_classes: C.
        ignored: N masks, or N * C. Outlines in it and along it are not counted, though others may
            match them.
        tolerance: as in `boundary_f`.

    Raises:
        ValueError: as `count_masks`.
    """
    shape = rows_of(answers, truths, num_classes)
    hidden = None if ignored is None else uncounted(ignored, truths, num_classes)
    found = np.zeros((len(truths), 4), np.int64)
    for row in np.flatnonzero((answers.counts > 0) | (truths.counts > 0)):
        own = np.array([row])
        answer, truth = (decode(each.take(own))[0] for each in (answers, truths))
        away = np.zeros_like(truth) if hidden is None else decode(hidden.take(own))[0]
        found[row] = _compared(answer, truth, away, tolerance * float(np.hypot(*truth.shape)))
    precise, answered, matched, true = (column.reshape(shape) for column in found.T)
    return BoundaryCounts(precise, answered, matched, true, tolerance)


def _compared(
    answer: np.ndarray, truth: np.ndarray, away: np.ndarray, distance_px: float
) -> tuple[int, int, int, int]:
    """`precise`, `answered`, `found` and `true` of one pair of (H, W) masks."""
    beside = away.astype(bool)
    beside[1:] |= away[:-1] > 0
    beside[:-1] |= away[1:] > 0
    beside[:, 1:] |= away[:, :-1] > 0
    beside[:, :-1] |= away[:, 1:] > 0
    outlines = [np.argwhere(_outline(mask)) for mask in (answer, truth)]
    counted = [outline[~beside[tuple(outline.T)]] for outline in outlines]
    precise = _num_close(counted[0], outlines[1], distance_px)
    found = _num_close(counted[1], outlines[0], distance_px)
    return precise, len(counted[0]), found, len(counted[1])


def _outline(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool, what erosion by a cross takes off."""
    padded = np.pad(mask > 0, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    outline: np.ndarray = padded[1:-1, 1:-1] & ~inside
    return outline


def _num_close(places: np.ndarray, others: np.ndarray, distance_px: float) -> int:
    """How many of (P, 2) places have one of the others within a distance."""
    if not len(places) or not len(others):
        return 0
    from scipy.spatial import cKDTree  # Slow to load, and needed for nothing else here.

    distances, _ = cKDTree(others).query(places)
    return int((distances <= distance_px).sum())


METRICS = {
    "boundary_f": Metric(
        boundary_f,
        higher_is_better=True,
        takes="masks",
        label="boundary F",
        words=("boundary f", "boundary_f", "boundary f1", "boundary f-score", "bf score"),
        tasks=("segmentation",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_boundary_f,
        count=count_boundaries,
    ),
}
