"""Scores as ranks in a known distribution, and back: the scale on which unlike scores compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Distribution:
    """One member's out-of-fold scores of one column.

    Attributes:
        values: (V,) float64, distinct scores, rising.
        ranks: (V,) float64, the share of scores below plus half the share at each value, rising
            in (0, 1).
    """

    values: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, *, max_knots: int) -> Distribution:
        """The distribution of (N,) scores, in not many more than `max_knots` distinct values.

        With more distinct values, those at evenly spread ranks are kept, and the neighbours of
        a value that many rows share, where the rank jumps; so that the rank of a known score is
        off by less than two parts in `max_knots`.
        """
        values, counts = np.unique(scores, return_counts=True)
        reached = np.cumsum(counts) / len(scores)
        ranks = reached - counts / (2 * len(scores))
        if len(values) > max_knots:
            hit = np.searchsorted(reached, np.linspace(reached[0], 1, max_knots))
            shared = np.flatnonzero(counts * max_knots > len(scores))
            kept = np.unique(np.concatenate([hit, shared, shared - 1, shared + 1]))
            kept = kept[(kept >= 0) & (kept < len(values))]
            values, ranks = values[kept], ranks[kept]
        return cls(values, ranks)

    def rank(self, scores: np.ndarray) -> np.ndarray:
        """Ranks of any scores: interpolated between known values, the end's rank outside."""
        ranks: np.ndarray = np.interp(scores, self.values, self.ranks)
        return ranks

    def score(self, ranks: np.ndarray) -> np.ndarray:
        """The scores that have these ranks; `rank` the other way round."""
        scores: np.ndarray = np.interp(ranks, self.ranks, self.values)
        return scores

    def to_json(self) -> dict[str, list[float]]:
        """What `from_json` reads."""
        return {"values": self.values.tolist(), "ranks": self.ranks.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Distribution:
        """The distribution that `to_json` wrote."""
        return cls(np.array(value["values"], dtype=float), np.array(value["ranks"], dtype=float))
