"""How members' values are put together: by a mean, a mean per column, linearly, by majority."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from foldwise.blending.majority import Ballot
from foldwise.blending.members import Members


class Mix(Protocol):
    """Members' values of a row put together."""

    @property
    def name(self) -> str:
        """Key of the mix in a blend's JSON."""

    def of(self, values: np.ndarray, weights: np.ndarray, members: Members) -> np.ndarray:
        """(N, C) mix of (M, N, C) values, which a scale made of the members' scores."""

    def to_json(self) -> dict[str, Any]:
        """What `mix_from_json` reads beside the name."""


@dataclass(frozen=True)
class Mean:
    """The mean by the blend's weights."""

    name: ClassVar[str] = "mean"

    def of(self, values: np.ndarray, weights: np.ndarray, members: Members) -> np.ndarray:
        """The weighted mean; between the members' values, but for weights below 0."""
        mean: np.ndarray = np.tensordot(weights, values, axes=1)
        if weights.min() < 0:
            return mean
        # Weights sum to 1 but for rounding; a mean of probabilities must not end an ulp above 1.
        return np.asarray(np.clip(mean, values.min(axis=0), values.max(axis=0)))

    def to_json(self) -> dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class ColumnMean:
    """A mean in each column by weights of its own.

    Attributes:
        columns: M by C weights, those of a column sum to 1.
    """

    columns: tuple[tuple[float, ...], ...]
    name: ClassVar[str] = "column_mean"

    def of(self, values: np.ndarray, weights: np.ndarray, members: Members) -> np.ndarray:
        """The weighted means, between the members' values."""
        mean: np.ndarray = np.einsum("mc,mnc->nc", np.array(self.columns), values)
        return np.asarray(np.clip(mean, values.min(axis=0), values.max(axis=0)))

    def to_json(self) -> dict[str, Any]:
        """The weights."""
        return {"columns": [list(row) for row in self.columns]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ColumnMean:
        """The mix that `to_json` wrote."""
        return cls(tuple(tuple(map(float, row)) for row in value["columns"]))


@dataclass(frozen=True)
class Linear:
    """A linear model of all members' values.

    Attributes:
        coefficients: M by C by C: of a member's column (second) for a blended column (third).
        intercept: C.
    """

    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    intercept: tuple[float, ...]
    name: ClassVar[str] = "linear"

    def of(self, values: np.ndarray, weights: np.ndarray, members: Members) -> np.ndarray:
        """What the model predicts."""
        predicted: np.ndarray = np.einsum("mco,mnc->no", np.array(self.coefficients), values)
        return np.asarray(predicted + np.array(self.intercept))

    def to_json(self) -> dict[str, Any]:
        """Coefficients and intercept."""
        by_member = [[list(row) for row in member] for member in self.coefficients]
        return {"coefficients": by_member, "intercept": list(self.intercept)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Linear:
        """The mix that `to_json` wrote."""
        by_member = value["coefficients"]
        read = tuple(tuple(tuple(map(float, row)) for row in member) for member in by_member)
        return cls(read, tuple(map(float, value["intercept"])))


@dataclass(frozen=True)
class Majority:
    """The answer that most members give: in each family first, then among families.

    Attributes:
        families: positions of the members of each family; one family: a plain vote.
        ballot: what is voted on.
    """

    families: tuple[tuple[int, ...], ...]
    ballot: Ballot
    name: ClassVar[str] = "majority"

    def of(self, values: np.ndarray, weights: np.ndarray, members: Members) -> np.ndarray:
        """The answers, as `votes` writes them."""
        parts = [list(family) for family in self.families]
        means = np.stack([members.scores[part].mean(axis=0) for part in parts])
        answers = [
            self.ballot.count(values[part], mean) for part, mean in zip(parts, means, strict=True)
        ]
        return self.ballot.count(np.stack(answers), means.mean(axis=0))

    def to_json(self) -> dict[str, Any]:
        """Families and ballot."""
        return {
            "families": [list(family) for family in self.families],
            "ballot": self.ballot.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Majority:
        """The mix that `to_json` wrote."""
        families = tuple(tuple(map(int, family)) for family in value["families"])
        return cls(families, Ballot.from_json(value["ballot"]))


def mix_from_json(value: Mapping[str, Any]) -> Mix:
    """The mix of a blend's JSON.

    Raises:
        KeyError: no such mix, or a part of it is missing.
    """
    return _MIXES[value["name"]](value)


_MIXES: dict[str, Callable[[Mapping[str, Any]], Mix]] = {
    "mean": lambda value: Mean(),
    "column_mean": ColumnMean.from_json,
    "linear": Linear.from_json,
    "majority": Majority.from_json,
}
