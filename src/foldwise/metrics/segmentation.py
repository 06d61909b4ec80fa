"""Overlap over union of masks, by class and by image, and the share of pixels that are right."""

from __future__ import annotations

import numpy as np

from foldwise.metrics.mask_counts import MaskCounts
from foldwise.metrics.metric import Metric, Reweighted, divide, mean_of, ratio_of
from foldwise.metrics.per_class import Counted
from foldwise.row_weights import require_rows, row_weights


def iou_per_class(counts: MaskCounts, weight: np.ndarray | None = None) -> np.ndarray:
    """(C,) float64 overlap over union of each class, pixels of all images pooled.

    Args:
        counts: (N, C).
        weight: (N,) float, or None for ones.

    Returns:
        In [0, 1]; NaN for a class that is in no truth and no answer.
    """
    return _prepare_iou_per_class(counts)(weight)


def mean_iou(counts: MaskCounts, weight: np.ndarray | None = None) -> float:
    """Mean over classes of `iou_per_class`: the mIoU of street scenes.

    Args:
        counts: (N, C).
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1], over the classes that are in any truth or answer.

    Raises:
        ValueError: none is.

    Source: Everingham et al. (2015), "The Pascal Visual Object Classes Challenge: A
    Retrospective", IJCV 111, 98-136.
    """
    return prepare_mean_iou(counts)(weight)


def mean_iou_per_image(counts: MaskCounts, weight: np.ndarray | None = None) -> float:
    """Mean over images of the mean IoU of the classes that are in the image or its answer.

    Args:
        counts: (N, C).
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]; an image without anything, answered by nothing, scores 1. Small objects
        count as large ones do.

    Source: Csurka et al. (2013), "What is a good evaluation measure for semantic segmentation?",
    BMVC.
    """
    return prepare_mean_iou_per_image(counts)(weight)


def pixel_accuracy(counts: MaskCounts, weight: np.ndarray | None = None) -> float:
    """Share of the truths' pixels that are right, of all images together.

    Args:
        counts: (N, C) of exclusive classes: pixels without one of them are not counted.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]. With classes that overlap it would be the recall of pixels, which the
        answer "everything everywhere" makes 1.

    Raises:
        ValueError: no truth has a pixel.
    """
    return prepare_pixel_accuracy(counts)(weight)


def prepare_mean_iou(counts: MaskCounts) -> Reweighted:
    """`mean_iou` as a function of the weights."""
    per_class = _prepare_iou_per_class(counts)

    def score(weight: np.ndarray | None) -> float:
        ious = per_class(weight)
        there = ious[~np.isnan(ious)]
        if not len(there):
            raise ValueError("no class is in any truth or answer, so mean IoU is undefined")
        return float(there.mean())

    return score


def prepare_mean_iou_per_image(counts: MaskCounts) -> Reweighted:
    """`mean_iou_per_image` as a function of the weights."""
    ious = divide(counts.common, counts.union, otherwise=0.0)
    num_there = (counts.union > 0).sum(axis=1)
    return mean_of(divide(ious.sum(axis=1), num_there, otherwise=1.0))


def prepare_pixel_accuracy(counts: MaskCounts) -> Reweighted:
    """`pixel_accuracy` as a function of the weights."""
    return ratio_of(
        counts.common.sum(axis=1),
        counts.true.sum(axis=1),
        nothing="no truth has a pixel, so pixel accuracy is undefined",
    )


def _prepare_iou_per_class(counts: MaskCounts) -> Counted:
    require_rows(len(counts))
    both = np.stack([counts.common, counts.union]).astype(np.float64)

    def ious(weight: np.ndarray | None) -> np.ndarray:
        common, union = row_weights(weight, len(counts)) @ both
        return divide(common, union, otherwise=np.nan)

    return ious


METRICS = {
    "mean_iou": Metric(
        mean_iou,
        higher_is_better=True,
        takes="masks",
        label="mean IoU over classes",
        words=(
            "mean iou",
            "mean_iou",
            "mean iou over classes",
            "miou",
            "mean intersection over union",
            "mean intersection-over-union",
            "intersection over union",
            "intersection-over-union",
            "mean jaccard",
            "jaccard index",
            "iou",
        ),
        tasks=("segmentation",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_mean_iou,
    ),
    "mean_iou_per_image": Metric(
        mean_iou_per_image,
        higher_is_better=True,
        takes="masks",
        label="mean IoU per image",
        words=("mean_iou_per_image", "mean iou per image", "iou per image", "image-wise iou"),
        tasks=("segmentation",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_mean_iou_per_image,
    ),
    "pixel_accuracy": Metric(
        pixel_accuracy,
        higher_is_better=True,
        takes="masks",
        label="pixel accuracy",
        words=("pixel accuracy", "pixel_accuracy", "pixel-wise accuracy", "share of right pixels"),
        tasks=("segmentation",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_pixel_accuracy,
    ),
}
