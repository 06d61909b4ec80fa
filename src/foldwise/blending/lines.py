"""A line of straight pieces: how one member's scores are brought to a scale that all share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Line:
    """Values at knots, linear between them.

    Attributes:
        knots: rising, at least one.
        values: at the knots.
        is_open: beyond the ends the outermost pieces go on; else the ends' values stay.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]
    is_open: bool = False

    @classmethod
    def through(cls, knots: np.ndarray, values: np.ndarray) -> Line:
        """The line through knots that do not fall; at equal knots through their mean value."""
        distinct, place = np.unique(knots, return_inverse=True)
        means = np.bincount(place, weights=values) / np.bincount(place)
        return cls(tuple(distinct.tolist()), tuple(means.tolist()))

    def of(self, scores: np.ndarray) -> np.ndarray:
        """The values at any scores."""
        found: np.ndarray = np.interp(scores, self.knots, self.values)
        if self.is_open and len(self.knots) > 1:
            found += self._slope(0) * np.minimum(scores - self.knots[0], 0.0)
            found += self._slope(-2) * np.maximum(scores - self.knots[-1], 0.0)
        return found

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "knots": list(self.knots),
            "values": list(self.values),
            "is_open": self.is_open,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Line:
        """The line that `to_json` wrote."""
        knots, values = (tuple(map(float, value[name])) for name in ("knots", "values"))
        return cls(knots, values, bool(value["is_open"]))

    def _slope(self, piece: int) -> float:
        run = self.knots[piece + 1] - self.knots[piece]
        return (self.values[piece + 1] - self.values[piece]) / run
