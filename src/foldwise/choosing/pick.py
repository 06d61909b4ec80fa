"""The final picks: the N candidates whose best private score is expected highest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.choosing.candidates import Candidates
from foldwise.choosing.futures import Futures, Split, simulate
from foldwise.choosing.sets import Aim, Members, best_set

#: Quantiles of rank changes.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Set:
    """What is expected of a set, in the metric's own sign.

    Attributes:
        members: numbers of the candidates, the most expected of first.
        expected: mean of the best private score of its members.
        chance: that this passes the score asked for; None if none was.
        regret: mean of what the best of all candidates has on it, at least 0.
        place: mean place of its best member among all candidates by private score, from 1.
        num_public: members that have a public score.
    """

    members: Members
    expected: float
    chance: float | None
    regret: float
    place: float
    num_public: int


@dataclass(frozen=True)
class Picks:
    """The picks, what other rules would have got, and what each candidate may expect.

    Attributes:
        picked: the set that was chosen.
        by_public: the best on public (those with a public score; filled up by cv); None if no
            public score is known.
        by_cv: the best by cross-validated score.
        added: (N,) what each pick adds to the expected best of the other picks, in their order.
        num_level: other sets that are as good, as far as the simulation tells.
        cv: (M,) cross-validated scores.
        private: (M, 3) expected private score and its 90 % interval.
        chance_first: (M,) chance to be the best of all on private.
        climb: (M, 5) `QUANTILES` of the places gained from public to private.
        futures: what it was computed from.
    """

    picked: Set
    by_public: Set | None
    by_cv: Set
    added: np.ndarray
    num_level: int
    cv: np.ndarray
    private: np.ndarray
    chance_first: np.ndarray
    climb: np.ndarray
    futures: Futures


def pick(
    candidates: Candidates,
    split: Split,
    *,
    num: int = 2,
    pass_score: float | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Picks:
    """Choose the set of `num` candidates that promises most on private.

    Only the best of the picks counts, so a second pick is worth what it adds where the first one
    fails: a slightly weaker candidate of another family may be worth more than the runner-up.
    Sets that the simulation cannot tell apart, or whose difference is below 5 % of the noise
    between two private scores, are level; of these the one with the fewest candidates that cannot
    be reproduced is taken, then with the fewest whose score is not cross-fitted, then the one whose
    members are expected highest each for itself, then the one of the higher value.

    Args:
        candidates: at least `num`.
        split: units of the public and private part of the test set.
        num: how many submissions count.
        pass_score: choose for the chance that the best passes this, in the metric's sign.
        num_resamples: resamples of rows; see `simulate`.
        seed: another seed draws other futures.

    Raises:
        ValueError: a score is undefined on all rows or on most of the resamples.
    """
    assert 1 <= num <= len(candidates)
    futures = simulate(candidates, split, num=num_resamples, seed=seed)
    sign = candidates.sign
    aim = Aim(futures.private, futures.noise, None if pass_score is None else sign * pass_score)
    costs = np.stack([~candidates.is_reproducible, ~candidates.is_honest], axis=1).astype(np.int64)
    chosen, num_level = best_set(aim, num, costs)
    picked = _set(candidates, aim, chosen)
    best = futures.private[:, list(picked.members)]
    added = [
        float((best.max(axis=1) - np.delete(best, place, axis=1).max(axis=1)).mean())
        for place in range(num)
        if num > 1
    ]
    known = -np.where(np.isnan(candidates.public), -np.inf, sign * candidates.public)
    by_public = np.lexsort([-futures.cv, known])[:num]
    ends = np.quantile(futures.private, [0.05, 0.95], axis=0)
    shown = candidates.possible(np.stack([futures.private.mean(axis=0), *ends], axis=1))
    shown[:, 1:].sort(axis=1)
    first = futures.private.argmax(axis=1)
    return Picks(
        picked=picked,
        by_public=_set(candidates, aim, by_public) if len(candidates.known) else None,
        by_cv=_set(candidates, aim, np.argsort(-futures.cv, kind="stable")[:num]),
        added=np.array(added),
        num_level=num_level,
        cv=sign * futures.cv,
        private=shown,
        chance_first=np.bincount(first, minlength=len(candidates)) / len(first),
        climb=_climb(futures),
        futures=futures,
    )


def _set(candidates: Candidates, aim: Aim, members: Members | np.ndarray) -> Set:
    means = aim.private.mean(axis=0)
    order = tuple(sorted((int(member) for member in members), key=lambda m: -means[m]))
    best = aim.private[:, list(order)].max(axis=1)
    above = (aim.private > best[:, None]).sum(axis=1)
    chance = None
    if aim.pass_score is not None:
        chance = float((best >= aim.pass_score).mean())
    return Set(
        members=order,
        expected=float(candidates.possible(best.mean())),
        chance=chance,
        regret=float((aim.private.max(axis=1) - best).mean()),
        place=1 + float(above.mean()),
        num_public=len(set(order) & set(candidates.known.tolist())),
    )


def _climb(futures: Futures) -> np.ndarray:
    """(M, 5) quantiles of the places that candidates gain from public to private."""
    public, private = (
        np.argsort(np.argsort(-part, axis=1, kind="stable"), axis=1)
        for part in (futures.public, futures.private)
    )
    climbed: np.ndarray = np.quantile(public - private, QUANTILES, axis=0).T
    return climbed
