"""Counting votes: the answer that most give; of equally many the one that scores speak for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Ballot:
    """What is voted on, and how ties are settled.

    Attributes:
        kind: `classes`: one column of a row wins; of tied ones that with the highest mean score,
            then the first. `labels`: each column is on or off; a tie is on where the mean score
            reaches the threshold. `grades`: of tied grades the one nearest to the mean score,
            then the lowest.
        thresholds: C, for labels.
    """

    kind: Literal["classes", "labels", "grades"]
    thresholds: tuple[float, ...] = ()

    def count(self, votes: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """The winners.

        Args:
            votes: (V, N, C), one for each voter.
            mean: (N, C) mean scores, for ties.

        Returns:
            (N, C) float64 as votes are.
        """
        if self.kind == "classes":
            return _class_of_most(votes, mean)
        if self.kind == "labels":
            return _labels_of_most(votes, mean >= np.array(self.thresholds))
        return _grade_of_most(votes[:, :, 0], mean[:, 0])[:, None]

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"kind": self.kind, "thresholds": list(self.thresholds)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ballot:
        """The ballot that `to_json` wrote."""
        return cls(value["kind"], tuple(map(float, value["thresholds"])))


def _class_of_most(votes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    counts = votes.sum(axis=0)
    is_most = counts == counts.max(axis=1, keepdims=True)
    winners = np.where(is_most, mean, -np.inf).argmax(axis=1)
    hot: np.ndarray = np.eye(votes.shape[2])[winners]
    return hot


def _labels_of_most(votes: np.ndarray, if_tied: np.ndarray) -> np.ndarray:
    twice = 2 * votes.sum(axis=0)
    return np.where(twice == len(votes), if_tied, twice > len(votes)).astype(np.float64)


def _grade_of_most(votes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    grades = np.unique(votes)
    counts = np.stack([(votes == grade).sum(axis=0) for grade in grades])
    away = np.where(counts == counts.max(axis=0), np.abs(grades[:, None] - mean), np.inf)
    winners: np.ndarray = grades[away.argmin(axis=0)]
    return winners
