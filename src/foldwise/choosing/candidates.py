"""Candidates for the final picks: their scores under any row weights, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Share of a model's own shift that does not pass to blends of it, since no metric is linear.
_BESIDE = 0.1

#: (N,) how often each row counts → (M,) scores of the candidates on these rows. Raises ValueError
#: where a score is undefined.
Rescored = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Candidates:
    """What may be picked, all scored on the same N rows that none of them was trained on.

    Attributes:
        names: M names.
        rescored: their scores as a function of the row weights.
        units: (N,) int from 0, what is drawn together: the row's group, or the row itself.
        families: (M, F) share of each model family in a candidate; rows sum to 1.
        sources: (M, L) share of each trained model in a candidate; rows sum to 1. A model that is
            no blend is its own only source.
        public: (M,) public scores, NaN where unknown.
        is_honest: (M,) bool, the score is cross-fitted, neither naive nor optimistic.
        is_reproducible: (M,) bool, it can be made again from what is kept.
        higher_is_better: of the scores, the public ones and those that `rescored` gives.
        num_folds: folds of the rows; what an optimistic score may promise too much rests on it.
        lowest: score that there can be.
        highest: score that there can be.
    """

    names: tuple[str, ...]
    rescored: Rescored
    units: np.ndarray
    families: np.ndarray
    sources: np.ndarray
    public: np.ndarray
    is_honest: np.ndarray
    is_reproducible: np.ndarray
    higher_is_better: bool = True
    num_folds: int = 5
    lowest: float = -np.inf
    highest: float = np.inf

    def __post_init__(self) -> None:
        num = len(self)
        assert self.families.shape[0] == self.sources.shape[0] == num
        for facts in (self.public, self.is_honest, self.is_reproducible):
            assert facts.shape == (num,), facts.shape

    def __len__(self) -> int:
        return len(self.names)

    @property
    def num_units(self) -> int:
        """Groups, or rows where there are none."""
        return int(self.units.max()) + 1

    @property
    def family_parts(self) -> np.ndarray:
        """(M, F) loadings of the families' shifts: shares squared.

        In a mean a member's error counts by the square of its share, and metrics follow the size
        of the error: a third of a stricken family costs a ninth, not a third.
        """
        squares: np.ndarray = np.square(self.families)
        return squares

    @property
    def own_parts(self) -> np.ndarray:
        """(M, L + M) loadings of the sources, squared too, and of what candidates have beside."""
        return np.hstack([np.square(self.sources), np.sqrt(_BESIDE) * np.eye(len(self))])

    @property
    def sign(self) -> float:
        """What scores are multiplied by so that higher is better."""
        return 1.0 if self.higher_is_better else -1.0

    @property
    def known(self) -> np.ndarray:
        """Numbers of the candidates that have a public score, rising."""
        return np.flatnonzero(~np.isnan(self.public))

    def utilities(self, weights: np.ndarray) -> np.ndarray:
        """(M,) scores under row weights, higher is better.

        Raises:
            ValueError: a score is undefined or not finite on these rows.
        """
        scores = np.asarray(self.rescored(weights), dtype=np.float64)
        if not np.isfinite(scores).all():
            bad = self.names[int(np.flatnonzero(~np.isfinite(scores))[0])]
            raise ValueError(f"the score of {bad} is not finite")
        utilities: np.ndarray = self.sign * scores
        return utilities

    def possible(self, utilities: np.ndarray) -> np.ndarray:
        """Utilities as scores, cut off where no score can be."""
        scores: np.ndarray = np.clip(self.sign * utilities, self.lowest, self.highest)
        return scores
