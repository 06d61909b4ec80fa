"""A step of a search for weights: its candidates, one a member, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from foldwise.blending.finish import Finish

#: Nothing is done to a blend.
UNFINISHED = Finish()


@dataclass(frozen=True)
class Step:
    """Candidates: member m would make the blend `(base + factor * m) / size`.

    Attributes:
        base: (N, C) weighted sum of members, their weights adding up to `size - factor`.
        size: what the sum is divided by.
        factor: the weight of the new member; may be negative.
        finish: what is done to the blend; it may be moved into bounds, and rows divided by sums.
        able: (M,) bool, who may be taken; bounds of others mean nothing. None: all.
    """

    base: np.ndarray
    size: float = 1.0
    factor: float = 1.0
    finish: Finish = UNFINISHED
    able: np.ndarray | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether blends are moved into bounds."""
        return self.finish.low is not None or self.finish.high is not None

    def mix(
        self, base: np.ndarray, member: np.ndarray, *, out: np.ndarray | None = None
    ) -> np.ndarray:
        """The blend of any part of `base` and the same part of a member, up to the rows' sums.

        Every way to score a candidate goes through these very operations, so that scores that
        are equal, or just on a cut, are so for all of them. A large blend is put into `out`, as
        memory that is new every time costs more than the sum.
        """
        blend: np.ndarray = np.add(
            base, member if self.factor == 1 else self.factor * member, out=out
        )
        if self.size != 1:
            blend /= self.size
        if self.is_bounded:
            np.clip(blend, self.finish.low, self.finish.high, out=blend)
        return blend

    def blend(self, member: np.ndarray) -> np.ndarray:
        """The candidate, (N, C), of the whole of a member."""
        return self.finish.of(self.mix(self.base, member))


class Criterion(Protocol):
    """Scores the candidates of a step."""

    def bounds(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Between which two numbers each candidate's score lies, (M,) float64 each.

        They are as close as it takes to tell who may still be best: exact values are a rounding
        error apart, and who cannot win may have bounds far apart.

        Raises:
            ValueError: the score is undefined for a candidate.
        """


def first_best(low: np.ndarray, high: np.ndarray, exact: Callable[[int], float]) -> int:
    """The position of the highest score, of equal ones the first.

    Args:
        low: lower bounds; bounds that overlap at the top become exact here.
        high: upper bounds, likewise.
        exact: the score at a position.
    """
    able = np.flatnonzero(high >= low.max())
    if len(able) > 1:
        for at in able[low[able] < high[able]].tolist():
            low[at] = high[at] = exact(at)
    return int(able[np.argmax(low[able])])


def around(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of values that were computed in another order than the metric's own."""
    room = 1e-12 * np.maximum(np.abs(values), 1)
    return values - room, values + room
