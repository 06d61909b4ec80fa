"""The set of N whose best is best: exhaustive where it can be, else greedy with exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

#: Sets that are all looked at; 100 candidates have 4,950 pairs.
_MOST_SETS = 5000
#: Differences below this share of the noise of two private scores count as none.
MARGIN = 0.05
#: Differences of the chance to pass below this count as none.
CHANCE_MARGIN = 0.005

#: Numbers of the members, rising.
Members = tuple[int, ...]


@dataclass(frozen=True)
class Aim:
    """What a set is to reach.

    Attributes:
        private: (D, M) simulated private scores, higher is better.
        noise: typical standard error of a difference of two private scores.
        pass_score: the score to pass; None: the best private score shall be high.
    """

    private: np.ndarray
    noise: float
    pass_score: float | None = None

    def gains(self, members: Sequence[int]) -> list[tuple[np.ndarray, float]]:
        """What the set yields in each draw, the first goal first, and the margin of each."""
        best = self.private[:, list(members)].max(axis=1)
        goals = [(best, MARGIN * self.noise)]
        if self.pass_score is not None:
            goals.insert(0, ((best >= self.pass_score).astype(np.float64), CHANCE_MARGIN))
        return goals

    def value(self, members: Sequence[int]) -> tuple[float, ...]:
        """The mean of each goal."""
        return tuple(float(gain.mean()) for gain, _ in self.gains(members))

    def is_level(self, first: Sequence[int], second: Sequence[int]) -> bool:
        """Whether the second set is as good as the first, as far as draws and margins tell.

        The draws are the same for both, so the error of the simulation is that of the difference.
        """
        for (gain, margin), (other, _) in zip(self.gains(first), self.gains(second), strict=True):
            difference = gain - other
            error = float(difference.std()) / np.sqrt(len(difference))
            if float(difference.mean()) > max(margin, 2 * error):
                return False
        return True


def best_set(aim: Aim, num: int, costs: np.ndarray) -> tuple[Members, int]:
    """The best set, and of level ones the cheapest.

    Args:
        aim: what is to be reached.
        num: members of the set, at most the number of candidates.
        costs: (M, K) int, what speaks against a candidate, the weightiest column first; costs
            of a set are sums. Among sets of equal cost the one whose members are expected highest
            by themselves is taken: what the best of a set gains from a poor but uncertain member
            rests on the tails alone. Then the one of the higher value.

    Returns:
        The set, and how many other sets are level with the best.
    """
    num_candidates = aim.private.shape[1]
    if comb(num_candidates, num) <= _MOST_SETS:
        sets = list(combinations(range(num_candidates), num))
    else:
        found = _searched(aim, num)
        sets = [found, *_exchanges(found, num_candidates)]
    values = {members: aim.value(members) for members in sets}
    top = max(sets, key=values.__getitem__)
    means = aim.private.mean(axis=0)
    level = [members for members in sets if aim.is_level(top, members)]

    def rank(members: Members) -> tuple[object, ...]:
        cost = costs[list(members)].sum(axis=0).tolist()
        alone = float(means[list(members)].sum())
        return (*cost, -alone, *(-value for value in values[members]), members)

    return min(level, key=rank), len(level) - 1


def _searched(aim: Aim, num: int) -> Members:
    """Add what helps most, then exchange single members as long as that helps."""
    num_candidates = aim.private.shape[1]
    found: Members = ()
    while len(found) < num:
        added = [
            tuple(sorted((*found, other))) for other in range(num_candidates) if other not in found
        ]
        found = max(added, key=aim.value)
    while True:
        better = max(_exchanges(found, num_candidates), key=aim.value)
        if aim.value(better) <= aim.value(found):
            return found
        found = better


def _exchanges(members: Members, num_candidates: int) -> Iterator[Members]:
    for old in members:
        for new in range(num_candidates):
            if new not in members:
                yield tuple(sorted({*members, new} - {old}))
