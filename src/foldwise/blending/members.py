"""What is blended: the aligned scores of several members, and their decided answers as votes."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """

    scores: np.ndarray
    votes: np.ndarray | None = None
    families: tuple[str, ...] = ()

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
        return replace(self, scores=np.take(self.scores, at, axis=1), votes=votes)

    def without(self, member: int) -> Members:
        """All but one member."""
        kept = np.flatnonzero(np.arange(len(self)) != member)
        votes = None if self.votes is None else self.votes[kept]
        families = tuple(self.families[m] for m in kept) if self.families else ()
        return Members(self.scores[kept], votes, families)

    def column(self, column: int) -> Members:
        """One column of the scores alone, without votes."""
        return replace(self, scores=self.scores[:, :, column : column + 1], votes=None)


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
