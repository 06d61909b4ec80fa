"""A fitted blend: what turns members' scores of any rows into one score, as a value and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from foldwise.blending.members import Members
from foldwise.blending.ranks import Distribution
from foldwise.errors import DataError

_FORMAT = 1


@dataclass(frozen=True)
class Blend:
    """Weights of members, and on which scale they apply.

    Attributes:
        method: key of `BLENDS` that fitted it.
        weights: M of 0 or more that sum to 1.
        takes: what is averaged, members' scores or their votes.
        rounded: the mean is rounded to whole numbers, halves up.
        distributions: M by C out-of-fold distributions; if there are any, ranks in them are
            averaged instead of scores.
        onto: where mean ranks end: as `ranks` in [0, 1], or as `scores`, through the weighted
            mean of the members' distributions.
    """

    method: str
    weights: tuple[float, ...]
    takes: Literal["scores", "votes"] = "scores"
    rounded: bool = False
    distributions: tuple[tuple[Distribution, ...], ...] = ()
    onto: Literal["ranks", "scores"] = "scores"

    def apply(self, members: Members) -> np.ndarray:
        """The blended scores, (N, C) float64, of any rows of the members it was fitted to.

        Raises:
            DataError: another number of members, or votes are needed and absent.
        """
        if len(members) != len(self.weights):
            raise DataError(f"{self.method} blend of {len(self.weights)}, found {len(members)}")
        if self.distributions:
            return self._mean_of_ranks(members.scores)
        if self.takes == "scores":
            return self._mean(members.scores)
        if members.votes is None:
            raise DataError(f"{self.method} needs the members' decided answers")
        mean = self._mean(members.votes)
        # A mean of 1.5 may come out an ulp below; weights are far coarser than the allowance.
        return np.floor(mean + (0.5 + 1e-9)) if self.rounded else mean

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "format": _FORMAT,
            "method": self.method,
            "weights": list(self.weights),
            "takes": self.takes,
            "rounded": self.rounded,
            "distributions": [[d.to_json() for d in row] for row in self.distributions],
            "onto": self.onto,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Blend:
        """The blend that `to_json` wrote.

        Raises:
            DataError: not a blend of this format.
        """
        try:
            if value["format"] != _FORMAT:
                raise DataError(f"blend of format {value['format']!r}, this reads {_FORMAT}")
            return cls(
                method=str(value["method"]),
                weights=tuple(float(weight) for weight in value["weights"]),
                takes=value["takes"],
                rounded=bool(value["rounded"]),
                distributions=tuple(
                    tuple(Distribution.from_json(d) for d in row) for row in value["distributions"]
                ),
                onto=value["onto"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a blend: {type(error).__name__} {error}") from None

    def _mean(self, values: np.ndarray) -> np.ndarray:
        mean = np.tensordot(np.array(self.weights), values, axes=1)
        # Weights sum to 1 but for rounding; a mean of probabilities must not end an ulp above 1.
        return np.clip(mean, values.min(axis=0), values.max(axis=0))

    def _mean_of_ranks(self, scores: np.ndarray) -> np.ndarray:
        ranks = np.empty_like(scores, dtype=np.float64)
        for member, row in enumerate(self.distributions):
            for column, distribution in enumerate(row):
                ranks[member, :, column] = distribution.rank(scores[member, :, column])
        mean = self._mean(ranks)
        if self.onto == "ranks":
            return mean
        back = np.empty_like(ranks)
        for member, row in enumerate(self.distributions):
            for column, distribution in enumerate(row):
                back[member, :, column] = distribution.score(mean[:, column])
        return self._mean(back)
