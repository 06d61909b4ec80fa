"""Scales on which members are mixed, there and back: scores, votes, ranks, logarithms, lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from scipy.special import expit, logit, softmax

from foldwise.blending.lines import Line
from foldwise.blending.members import Members
from foldwise.blending.ranks import Distribution


class Scale(Protocol):
    """What members' scores become before they are mixed, and how the mix becomes scores."""

    @property
    def name(self) -> str:
        """Key of the scale in a blend's JSON."""

    @property
    def takes(self) -> Literal["scores", "votes"]:
        """What of the members it begins with."""

    def of(self, members: Members) -> np.ndarray:
        """(M, N, C) float64 to be mixed."""

    def back(self, mixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(N, C) blended scores of the (N, C) mix; `weights` are the blend's."""

    def to_json(self) -> dict[str, Any]:
        """What `scale_from_json` reads beside the name."""


@dataclass(frozen=True)
class Plain:
    """Scores as they are."""

    name: ClassVar[str] = "scores"
    takes: ClassVar[Literal["scores", "votes"]] = "scores"

    def of(self, members: Members) -> np.ndarray:
        """The scores."""
        return members.scores

    def back(self, mixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The mix as it is."""
        return mixed

    def to_json(self) -> dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Votes:
    """Decided answers, as `votes` writes them."""

    name: ClassVar[str] = "votes"
    takes: ClassVar[Literal["scores", "votes"]] = "votes"

    def of(self, members: Members) -> np.ndarray:
        """The votes."""
        assert members.votes is not None
        return members.votes

    def back(self, mixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The mix as it is."""
        return mixed

    def to_json(self) -> dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Ranks:
    """Ranks in each member's own distribution.

    Attributes:
        distributions: M by C out-of-fold distributions.
        onto: where mean ranks end: as `ranks` in [0, 1], or as `scores`, through the weighted
            mean of the members' distributions.
    """

    distributions: tuple[tuple[Distribution, ...], ...]
    onto: Literal["ranks", "scores"] = "scores"
    name: ClassVar[str] = "ranks"
    takes: ClassVar[Literal["scores", "votes"]] = "scores"

    def of(self, members: Members) -> np.ndarray:
        """The ranks."""
        return _by_column(
            members.scores,
            lambda member, column, scores: self.distributions[member][column].rank(scores),
        )

    def back(self, mixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Ranks, or the weighted mean of the scores that have them."""
        if self.onto == "ranks":
            return mixed
        each = np.broadcast_to(mixed, (len(self.distributions), *mixed.shape))
        scores = _by_column(
            each, lambda member, column, ranks: self.distributions[member][column].score(ranks)
        )
        mean = np.tensordot(weights, scores, axes=1)
        return np.asarray(np.clip(mean, scores.min(axis=0), scores.max(axis=0)))

    def to_json(self) -> dict[str, Any]:
        """Distributions and where ranks end."""
        rows = [[d.to_json() for d in row] for row in self.distributions]
        return {"distributions": rows, "onto": self.onto}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ranks:
        """The scale that `to_json` wrote."""
        rows = value["distributions"]
        read = tuple(tuple(Distribution.from_json(entry) for entry in row) for row in rows)
        return cls(read, value["onto"])


@dataclass(frozen=True)
class Logs:
    """Logarithms of probabilities; back by what makes probabilities of logits.

    Attributes:
        link: `softmax` for classes, whose logarithms are mixed; `sigmoid` for labels, whose
            log odds are.
        floor: probabilities are moved into [floor, 1 - floor] first.
    """

    link: Literal["softmax", "sigmoid"]
    floor: float
    name: ClassVar[str] = "logs"
    takes: ClassVar[Literal["scores", "votes"]] = "scores"

    def of(self, members: Members) -> np.ndarray:
        """Logarithms or log odds."""
        probs = np.clip(members.scores, self.floor, 1.0 - self.floor)
        logs: np.ndarray = np.log(probs) if self.link == "softmax" else logit(probs)
        return logs

    def back(self, mixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Probabilities; rows of classes sum to 1."""
        probs: np.ndarray = softmax(mixed, axis=1) if self.link == "softmax" else expit(mixed)
        return probs

    def to_json(self) -> dict[str, Any]:
        """Link and floor."""
        return {"link": self.link, "floor": self.floor}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Logs:
        """The scale that `to_json` wrote."""
        return cls(value["link"], float(value["floor"]))


@dataclass(frozen=True)
class Lines:
    """Scores through a line of straight pieces for each member and column.

    Attributes:
        lines: M by C.
    """

    lines: tuple[tuple[Line, ...], ...]
    name: ClassVar[str] = "lines"
    takes: ClassVar[Literal["scores", "votes"]] = "scores"

    def of(self, members: Members) -> np.ndarray:
        """What the lines make of the scores."""
        return _by_column(
            members.scores, lambda member, column, scores: self.lines[member][column].of(scores)
        )

    def back(self, mixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The mix as it is: the lines lead to the scale of the blend."""
        return mixed

    def to_json(self) -> dict[str, Any]:
        """The lines."""
        return {"lines": [[line.to_json() for line in row] for row in self.lines]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Lines:
        """The scale that `to_json` wrote."""
        rows = value["lines"]
        return cls(tuple(tuple(Line.from_json(entry) for entry in row) for row in rows))


def scale_from_json(value: Mapping[str, Any]) -> Scale:
    """The scale of a blend's JSON.

    Raises:
        KeyError: no such scale, or a part of it is missing.
    """
    return _SCALES[value["name"]](value)


def _by_column(
    values: np.ndarray, change: Callable[[int, int, np.ndarray], np.ndarray]
) -> np.ndarray:
    """`change(member, column, values)` of each (N,) of (M, N, C)."""
    changed = np.empty(values.shape, dtype=np.float64)
    for member, column in np.ndindex(values.shape[0], values.shape[2]):
        changed[member, :, column] = change(member, column, values[member, :, column])
    return changed


_SCALES: dict[str, Callable[[Mapping[str, Any]], Scale]] = {
    "scores": lambda value: Plain(),
    "votes": lambda value: Votes(),
    "ranks": Ranks.from_json,
    "logs": Logs.from_json,
    "lines": Lines.from_json,
}
