"""What is blended: the aligned scores of several members, and their decided answers as votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Members:
    """Members' predictions of the same rows, in the same order, with the same columns.

    Attributes:
        scores: (M, N, C) float64 on the task's common scale.
        votes: (M, N, C) float64, each member's answers by its own decision as `votes` gives
            them; None where no blend of labels is asked for.
        families: M names of what members have in common, such as their formulation; empty:
            nothing is known, every member is a family of its own.
        stand_ins: fold → member → that member alone, as it must be taken where nothing of the
            fold may be seen; empty where members are as they are whatever is left out. A blend
            needs them: its row of one fold comes from weights that were fitted to the others.
    """

    scores: np.ndarray
    votes: np.ndarray | None = None
    families: tuple[str, ...] = ()
    stand_ins: Mapping[int, Mapping[int, Members]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.scores.ndim == 3, self.scores.shape
        assert self.votes is None or self.votes.shape == self.scores.shape
        assert len(self.families) in (0, len(self.scores)), self.families

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: np.ndarray) -> Members:
        """The rows given by position or mask."""
        at = np.flatnonzero(rows) if rows.dtype == bool else rows
        # `take` keeps the axes' order in memory, which indexing would not.
        votes = None if self.votes is None else np.take(self.votes, at, axis=1)
        stand_ins = {
            fold: {member: part.take(at) for member, part in parts.items()}
            for fold, parts in self.stand_ins.items()
        }
        scores = np.take(self.scores, at, axis=1)
        return replace(self, scores=scores, votes=votes, stand_ins=stand_ins)

    def unseen(self, fold: int, rows: np.ndarray) -> Members:
        """The rows given by position or mask, by nothing that has seen a fold's targets."""
        found = replace(self, stand_ins={}).take(rows)
        for member, part in self.stand_ins.get(fold, {}).items():
            instead = part.take(rows)
            found.scores[member] = instead.scores[0]
            if found.votes is not None and instead.votes is not None:
                found.votes[member] = instead.votes[0]
        return found

    def scores_unseen(self, fold: int, member: int, rows: np.ndarray) -> np.ndarray:
        """(n, C) one member's scores of some rows, as `unseen` gives them."""
        instead = self.stand_ins.get(fold, {}).get(member)
        found: np.ndarray = (
            self.scores[member][rows] if instead is None else instead.scores[0, rows]
        )
        return found

    def without(self, member: int) -> Members:
        """All but one member."""
        kept = np.flatnonzero(np.arange(len(self)) != member)
        votes = None if self.votes is None else self.votes[kept]
        families = tuple(self.families[m] for m in kept) if self.families else ()
        stand_ins = {
            fold: {
                other - (other > member): part for other, part in parts.items() if other != member
            }
            for fold, parts in self.stand_ins.items()
        }
        return Members(self.scores[kept], votes, families, stand_ins)

    def column(self, column: int) -> Members:
        """One column of the scores alone, without votes."""
        scores = self.scores[:, :, column : column + 1]
        return replace(self, scores=scores, votes=None, stand_ins={})


def votes(answers: np.ndarray, num_columns: int) -> np.ndarray:
    """Decided answers as scores, for a blend of labels.

    Args:
        answers: (N,) int classes, (N,) grades or numbers, or (N, C) of 0 and 1.
        num_columns: C of the scores that were decided. With one column, answers are grades or
            numbers and stay as they are; with more, a class becomes 1 in its column.

    Returns:
        (N, C) float64.

    >>> votes(np.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if answers.ndim == 2:
        return answers.astype(np.float64)
    if num_columns == 1:
        return answers[:, None].astype(np.float64)
    hot: np.ndarray = np.eye(num_columns)[answers]
    return hot
