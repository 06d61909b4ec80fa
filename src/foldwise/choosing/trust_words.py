"""Sentences on what submissions say about cv."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foldwise.choosing.rank_agreement import RankAgreement


def ranks_sentence(
    x: np.ndarray, ranks: RankAgreement | None, same_order: int, num_pairs: int
) -> str:
    """How far both agree on the order."""
    if ranks is None:
        which = "cv" if np.ptp(x) == 0 else "leaderboard"
        return f"all {which} scores are the same, so there is no ranking to compare"
    return (
        f"rank correlation (Spearman) {ranks.spearman:.3f} [{ranks.low:.3f}, {ranks.high:.3f}], "
        f"95 % by {ranks.method}; {same_order} of {num_pairs} pairs are in the same order on both"
    )


def gap_sentence(gap: float, low: float, high: float) -> str:
    """How far cv and leaderboard differ; a positive gap disappoints."""
    ends = sorted([low, high] if gap >= 0 else [-low, -high])
    more = "more" if gap >= 0 else "less"
    return (
        f"cv promises {abs(gap):.4g} {more} than the leaderboard shows "
        f"[{ends[0]:.4g}, {ends[1]:.4g}]"
    )


def slope_sentences(slope: float | None) -> list[str]:
    """What a gain in cv was worth, if that can be said."""
    if slope is None:
        return []
    return [
        f"a gain of 0.01 in cv went with {0.01 * slope:.4f} on the leaderboard (slope {slope:.2f})"
    ]


def outlier_sentences(outliers: Sequence[str]) -> list[str]:
    """Which submissions are off the line, if any."""
    return [f"off the line of the others: {', '.join(outliers)}"] if outliers else []


def next_sentences(ranks: RankAgreement | None) -> list[str]:
    """What one more submission would tell, if there is a ranking."""
    if ranks is None:
        return []
    return [
        f"one more submission would make the interval of the rank correlation about "
        f"{ranks.next_width:.2f} wide; it is {ranks.high - ranks.low:.2f}"
    ]
