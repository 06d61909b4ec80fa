"""Cuts and thresholds that give each class its share of the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foldwise.decide.cuts import half_cuts
from foldwise.decide.gaps import Gaps
from foldwise.errors import DataError
from foldwise.row_weights import row_weights


def cuts_for_shares(
    scores: np.ndarray,
    shares: Sequence[float] | np.ndarray,
    *,
    weight: np.ndarray | None = None,
    fixed: Sequence[float] | None = None,
) -> list[float]:
    """Cuts below which lie as many rows as grades 0 to j are said to have, for each j.

    Equal scores stay together, so a share is met as nearly as they let. Of two gaps that are
    equally near the lower is taken.

    Args:
        scores: (N,) float.
        shares: (K,) of 0 or more; they are divided by their sum.
        weight: (N,) float, or None for ones; rows of weight 0 are absent.
        fixed: K - 1 rising cuts, for where no scores are; None: j - 1/2.

    Returns:
        K - 1 rising cuts, each midway between neighbouring scores.

    Raises:
        DataError: fewer than two shares, or shares that are none.
        ValueError: no rows, or weights that do not fit.

    >>> cuts_for_shares(np.array([0.1, 0.2, 0.9, 1.0]), [0.5, 0.25, 0.25])
    [0.55, 0.95]
    """
    wanted = np.asarray(shares, dtype=np.float64)
    if (
        wanted.ndim != 1
        or len(wanted) < 2
        or not (wanted >= 0).all()
        or not 0 < wanted.sum() < np.inf
    ):
        raise DataError(
            f"shares must be two or more numbers of 0 or more, found {wanted.tolist()}",
            remedy="give each class its share of the rows",
        )
    weights = row_weights(weight, len(scores))
    present = weights > 0
    num_cuts = len(wanted) - 1
    gaps = Gaps.of(np.asarray(scores, dtype=np.float64)[present], num_cuts=num_cuts)
    below = gaps.sums_below(weights[present])
    reached = np.cumsum(wanted)[:-1] / wanted.sum() * below[-1]
    chosen = [int(np.abs(below - rows).argmin()) for rows in reached]
    return gaps.place(chosen, half_cuts(num_cuts + 1) if fixed is None else fixed)


def thresholds_for_shares(
    scores: np.ndarray,
    shares: Sequence[float] | np.ndarray,
    *,
    weight: np.ndarray | None = None,
    fixed: float | list[float] = 0.5,
) -> list[float]:
    """Thresholds that as many rows reach as each label is said to have.

    Args:
        scores: (N, C) float.
        shares: (C,) in [0, 1], of the rows that have the label.
        weight: (N,) float, or None for ones.
        fixed: one threshold, or one for each label, for where no scores are.

    Returns:
        C thresholds.

    Raises:
        DataError: another number of shares than of labels, or shares outside [0, 1].
        ValueError: no rows, or weights that do not fit.
    """
    wanted = np.asarray(shares, dtype=np.float64)
    if wanted.shape != scores.shape[1:] or not ((wanted >= 0) & (wanted <= 1)).all():
        raise DataError(
            f"{scores.shape[1]} labels need as many shares in [0, 1], found {wanted.tolist()}"
        )
    places = np.broadcast_to(np.asarray(fixed, dtype=np.float64), wanted.shape)
    return [
        cuts_for_shares(scores[:, c], [1 - share, share], weight=weight, fixed=[places[c]])[0]
        for c, share in enumerate(wanted)
    ]
