"""Dice of masks, image by image and class by class; what it is beside the all-empty answer."""

from __future__ import annotations

import numpy as np

from foldwise.metrics.mask_counts import MaskCounts
from foldwise.metrics.metric import Metric, Reweighted, divide, mean_of, ratio_of


def dice_per_mask(counts: MaskCounts) -> np.ndarray:
    """(N, C) float64 Dice of each class in each image; 1 where answer and truth are both empty.

    An empty answer to a truth that is not, and the reverse, score 0: the rule of Kaggle's steel
    competition.

    Source: Dice (1945), "Measures of the amount of ecologic association between species",
    Ecology 26(3), 297-302.
    """
    return divide(2 * counts.common, counts.answered + counts.true, otherwise=1.0)


def mean_dice(counts: MaskCounts, weight: np.ndarray | None = None) -> float:
    """Mean over images and classes of `dice_per_mask`.

    Args:
        counts: (N, C).
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]. Where most truths are empty, so is most of the score: see
        `headroom_share`.

    >>> counts = MaskCounts(*np.array([[[2, 0]], [[3, 0]], [[3, 0]]]))
    >>> round(mean_dice(counts), 3)
    0.833
    """
    return prepare_mean_dice(counts)(weight)


def dice_nonempty(counts: MaskCounts, weight: np.ndarray | None = None) -> float:
    """Mean Dice over the pairs of image and class that have a truth.

    Args:
        counts: (N, C).
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]. False pixels where nothing is cost nothing here.

    Raises:
        ValueError: no truth has a pixel.
    """
    return prepare_dice_nonempty(counts)(weight)


def headroom_share(counts: MaskCounts, weight: np.ndarray | None = None) -> float:
    """How much of what the all-empty answer leaves open was won: (score - e) / (1 - e).

    The score is `mean_dice`, e that of empty answers to everything, which is the share of empty
    truths.

    Args:
        counts: (N, C).
        weight: (N,) float, or None for ones.

    Returns:
        At most 1; 0 is as good as no answer at all, below 0 is worse.

    Raises:
        ValueError: no truth has a pixel, so the all-empty answer is perfect.
    """
    return prepare_headroom_share(counts)(weight)


def prepare_mean_dice(counts: MaskCounts) -> Reweighted:
    """`mean_dice` as a function of the weights."""
    return mean_of(dice_per_mask(counts).mean(axis=1))


def prepare_dice_nonempty(counts: MaskCounts) -> Reweighted:
    """`dice_nonempty` as a function of the weights."""
    has_truth = counts.true > 0
    return ratio_of(
        (dice_per_mask(counts) * has_truth).sum(axis=1),
        has_truth.sum(axis=1),
        nothing="no truth has a pixel, so there is no pair to score",
    )


def prepare_headroom_share(counts: MaskCounts) -> Reweighted:
    """`headroom_share` as a function of the weights."""
    has_truth = counts.true > 0
    # Less 1 for each empty truth, which the all-empty answer has.
    return ratio_of(
        (dice_per_mask(counts) - ~has_truth).sum(axis=1),
        has_truth.sum(axis=1),
        nothing="no truth has a pixel, so the all-empty answer is perfect",
    )


METRICS = {
    "mean_dice": Metric(
        mean_dice,
        higher_is_better=True,
        takes="masks",
        label="mean Dice",
        words=("mean dice", "mean_dice", "dice", "dice coefficient", "dice score"),
        tasks=("segmentation",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_mean_dice,
    ),
    "dice_nonempty": Metric(
        dice_nonempty,
        higher_is_better=True,
        takes="masks",
        label="Dice on non-empty pairs",
        words=("dice_nonempty", "dice on non-empty pairs", "dice of non-empty masks"),
        tasks=("segmentation",),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_dice_nonempty,
    ),
    "headroom_share": Metric(
        headroom_share,
        higher_is_better=True,
        takes="masks",
        label="share of the headroom over the all-empty answer",
        words=("headroom_share", "share of the headroom over the all-empty answer"),
        tasks=("segmentation",),
        highest=1.0,
        prepare=prepare_headroom_share,
    ),
}
