"""What each member is worth to a blend: the blend is fitted again without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from foldwise.blending.blend import Blend
from foldwise.blending.crossfit import Done, Fitted, fit_all, splits
from foldwise.blending.gain import Ends, PairedIntervals
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.blending.methods import Fit
from foldwise.seeding import key, permutation

#: Methods for which a member of weight 0 might as well be absent, so nothing is fitted again,
#: unless the search went by it (`Blend.steered`): `mean` and `greedy` take the best of what there
#: is, and what was never taken never was the best; the optimum of `convex` does not move when what
#: it does not use goes. A test compares.
IDLE_IS_ABSENT = frozenset({"mean", "greedy", "convex"})
#: Scores read in all fits together; with more, a share of the rows is used.
_MOST_READ = 100_000_000
_FEWEST_ROWS = 2000

#: `counting(what, total)`: progress, as a context that gives what is called for each.
Counting = Callable[[str, int], AbstractContextManager[Done]]


@dataclass(frozen=True)
class Contribution:
    """What a blend owes to one member; positive for one that helps.

    Attributes:
        lost_without: naive score lost when the blend is fitted without it.
        added: cross-fitted gain from adding it to the others; None with one fold.
        low: lower end of the paired interval of `added`; None without one.
        high: its upper end.
        num_rows: rows that were used: all, or where fits are many and long a share of them.
    """

    lost_without: float
    added: float | None
    low: float | None
    high: float | None
    num_rows: int

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def contributions(
    members: Members,
    folds: np.ndarray,
    *,
    fitted: Fitted,
    fit: Fit,
    goal: Goal,
    paired: PairedIntervals,
    counting: Counting,
) -> list[Contribution]:
    """Fit a blend again without each of its members.

    Members without weight are worth 0 for the methods in `IDLE_IS_ABSENT`. Up to 10^8 scores
    are read in all; beyond, the rows are thinned at random, to 2,000 at least, and fitted anew.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int.
        fitted: the blend of the same rows.
        fit: what fitted it.
        goal: of the same rows.
        paired: intervals of gains.
        counting: shows progress.

    Returns:
        One for each member; none for a single one.

    Raises:
        ValueError: the score is undefined on all rows, or on those outside a fold.
    """
    if len(members) < 2:
        return []
    rows = _thinned(members, fitted)
    if rows is not None:
        part = members.take(rows), folds[rows], goal.take(rows)
        try:
            again = fit_all(part[0], part[1], fit, part[2])
            return _contributions(*part, again, fit, paired, rows, counting)
        except ValueError:  # A rare class is not among the rows: then it takes all of them.
            pass
    return _contributions(members, folds, goal, fitted, fit, paired, None, counting)


def _contributions(
    members: Members,
    folds: np.ndarray,
    goal: Goal,
    fitted: Fitted,
    fit: Fit,
    paired: PairedIntervals,
    rows: np.ndarray | None,
    counting: Counting,
) -> list[Contribution]:
    blends = [fitted.blend, *fitted.without.values()]
    whole = goal(fitted.scores)
    lost = np.zeros(len(members))
    crossed: dict[int, np.ndarray] = {}
    with counting("without each member", sum(len(_in_use(blend)) for blend in blends)) as done:
        for member, scores in _refitted(fitted.blend, members, goal, fit, members, done):
            lost[member] = whole - goal(scores)
        for fold, inside, outside in splits(folds) if fitted.without else ():
            seen, unseen = members.unseen(fold, outside), members.take(inside)
            part = goal.take(outside)
            for member, scores in _refitted(fitted.without[fold], seen, part, fit, unseen, done):
                crossed.setdefault(member, fitted.crossed.copy())[inside] = scores
    if not fitted.without:
        return [Contribution(loss, None, None, None, len(folds)) for loss in lost.tolist()]
    others = list(crossed.values())
    ends = dict(zip(crossed, paired(fitted.crossed, others, rows), strict=True))
    base = goal(fitted.crossed)
    found = []
    for member, loss in enumerate(lost.tolist()):
        # What no fold's blend has used adds nothing, which is certain.
        end: Ends | None = Ends(0.0, 0.0, "")
        added = 0.0
        if member in crossed:
            end, added = ends[member], base - goal(crossed[member])
        low, high = (None, None) if end is None else (end.low, end.high)
        found.append(Contribution(loss, added, low, high, len(folds)))
    return found


def _refitted(
    blend: Blend, members: Members, goal: Goal, fit: Fit, to: Members, done: Done
) -> Iterator[tuple[int, np.ndarray]]:
    """Each member that counts, and the scores of `to` by the blend fitted without it."""
    for member in _in_use(blend):
        others = members.without(member)
        blend_of_others = fit(others, goal)
        yield member, blend_of_others.apply(others if to is members else to.without(member))
        done()


def _in_use(blend: Blend) -> Sequence[int]:
    """Members without which another blend may come out."""
    if blend.method not in IDLE_IS_ABSENT:
        return range(len(blend.weights))
    weighing = {member for member, weight in enumerate(blend.weights) if weight}
    return sorted(weighing.union(blend.steered))


def _thinned(members: Members, fitted: Fitted) -> np.ndarray | None:
    """Positions of the rows to be used, rising; None for all."""
    num_rows = members.scores.shape[1]
    num_fits = sum(len(_in_use(blend)) for blend in (fitted.blend, *fitted.without.values()))
    wanted = _MOST_READ * num_rows // max(num_fits * members.scores.size, 1)
    kept = max(wanted, _FEWEST_ROWS)
    if kept >= num_rows:
        return None
    return np.sort(permutation(key("contributions"), num_rows)[:kept])
