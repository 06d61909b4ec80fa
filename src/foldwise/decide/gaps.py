"""Where a cut can lie: the gaps between neighbouring scores, and the rows below each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.row_weights import require_rows

# Neighbours must be this many floating-point steps apart for each cut that a gap may have to
# hold, so that cuts parting it evenly rise and leave both neighbours on their sides.
_STEPS = 4
# A cut beyond all scores stands this far from the last one, unless a fixed one lies there.
_BEYOND = 0.5
# Of totals this near in relation to their scale none is better: rounding is all they differ by.
_LEVEL = 1e-12


@dataclass(frozen=True)
class Gaps:
    """The gaps of N scores: below all, between neighbours that differ, and above all.

    A cut in a gap has the rows below the gap under it and all others at or above it.

    Attributes:
        order: (N,) rows by rising score.
        num_below: (G,) rows below each gap, rising from 0 to N.
        low: (G,) greatest score below each gap; -inf for the first.
        high: (G,) least score above it; inf for the last.
    """

    order: np.ndarray
    num_below: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, *, num_cuts: int = 1) -> Gaps:
        """The gaps of (N,) scores, each wide enough to hold `num_cuts` cuts.

        Scores nearer to each other than a few floating-point steps count as one.

        Raises:
            ValueError: no scores, or some are NaN or infinite.
        """
        require_rows(len(scores))
        order = np.argsort(scores)
        ranked = scores[order]
        if not np.isfinite(ranked[[0, -1]]).all():  # NaN is sorted to the end.
            raise ValueError("scores hold NaN or infinite values")
        wide = _STEPS * (num_cuts + 1) * np.spacing(np.abs(ranked))
        is_gap = np.diff(ranked) > np.maximum(wide[:-1], wide[1:])
        inner = np.flatnonzero(is_gap) + 1
        return cls(
            order=order,
            num_below=np.concatenate([[0], inner, [len(scores)]]),
            low=np.concatenate([[-np.inf], ranked[inner - 1], ranked[-1:]]),
            high=np.concatenate([ranked[:1], ranked[inner], [np.inf]]),
        )

    def __len__(self) -> int:
        return len(self.num_below)

    def sums_below(self, values: np.ndarray) -> np.ndarray:
        """(N,) values by row → (G,) their sums over the rows below each gap."""
        sums = np.zeros(len(values) + 1)
        np.cumsum(values[self.order], out=sums[1:])
        return sums if len(self) == len(sums) else sums[self.num_below]

    def away(self, value: float) -> np.ndarray:
        """(G,) how far the value is from each gap; 0 for the one that it lies in."""
        return np.maximum(np.maximum(value - self.high, self.low - value), 0.0)

    def nearest_best(self, totals: np.ndarray, fixed: float) -> int:
        """The gap of the greatest total; of equal ones the nearest to the fixed cut.

        Args:
            totals: (G,).
            fixed: where the cut stands if nothing speaks for another place.
        """
        level = np.flatnonzero(totals >= totals.max() - _LEVEL * np.abs(totals).max())
        return int(level[self.away(fixed)[level].argmin()])

    def place(self, gaps: Sequence[int], fixed: Sequence[float]) -> list[float]:
        """Cuts that lie in the gaps: m cuts of one gap part it evenly, one lies midway.

        In the first and the last gap, which have one neighbour only, cuts keep their fixed places
        if these lie there; otherwise they move together until the nearest is 0.5 beyond the
        scores.

        Args:
            gaps: K - 1 indices, none less than the one before.
            fixed: K - 1 rising places.

        Returns:
            K - 1 rising cuts.
        """
        chosen, places = np.asarray(gaps), np.asarray(fixed, dtype=np.float64)
        cuts = np.empty(len(chosen))
        for gap in np.unique(chosen):
            inside = chosen == gap
            low, high, num = self.low[gap], self.high[gap], int(inside.sum())
            if gap == 0:
                last = places[inside][-1]
                cuts[inside] = places[inside] - (last - high + _BEYOND if last > high else 0)
            elif gap == len(self) - 1:
                first = places[inside][0]
                cuts[inside] = places[inside] + (low - first + _BEYOND if first <= low else 0)
            else:
                cuts[inside] = low + (high - low) * (np.arange(num) + 1) / (num + 1)
        return [float(cut) for cut in cuts]
