"""The last step of a blend: into bounds, to rows that sum to 1, to whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Finish:
    """What is done to mixed scores, in this order.

    Attributes:
        low: scores below it are moved onto it; None: no such bound.
        high: scores above it likewise.
        sums_to_1: rows are divided by their sums; a row of nothing but 0 gets equal shares.
        is_rounded: scores are rounded to whole numbers, halves up.
    """

    low: float | None = None
    high: float | None = None
    sums_to_1: bool = False
    is_rounded: bool = False

    def of(self, scores: np.ndarray) -> np.ndarray:
        """(N, C) scores finished."""
        if self.low is not None or self.high is not None:
            scores = np.clip(scores, self.low, self.high)
        if self.sums_to_1:
            sums = scores.sum(axis=1, keepdims=True)
            shares = np.full_like(scores, 1.0 / scores.shape[1])
            scores = np.divide(scores, sums, out=shares, where=sums > 0)
        # A mean of 1.5 may come out an ulp below; weights are far coarser than the allowance.
        return np.floor(scores + (0.5 + 1e-9)) if self.is_rounded else scores

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finish:
        """The finish that `to_json` wrote."""
        low, high = (None if value[end] is None else float(value[end]) for end in ("low", "high"))
        return cls(low, high, bool(value["sums_to_1"]), bool(value["is_rounded"]))
