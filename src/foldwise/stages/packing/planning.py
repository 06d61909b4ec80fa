"""Which members, and how many of their units, a time allows; that choice is cross-fitted, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations, zip_longest

import numpy as np

from foldwise.metrics.mask_counts import joined
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round
from foldwise.stages.packing.subsets import Subset

SubsetOf = Callable[[Sequence[str]], Subset]
#: A subset and one with a member more → how much that is worth.
Worth = Callable[[Subset, Subset], float]

#: So many times slower than planned a machine may be, and the first round is still done.
SLOWER = 2.5
#: So many are all looked at: those of five members.
_MOST_SUBSETS = 32


@dataclass(frozen=True)
class Costs:
    """Seconds on the machine that is planned for.

    Attributes:
        start: before the first unit: reading, checking and decoding the test images, and the end.
        first: run → the first of its units.
        more: run → each further one, which may share work with the first.
        hand_in: after each round, where answers take a while to be made.
    """

    start: float
    first: Mapping[str, float]
    more: Mapping[str, float]
    hand_in: float = 0.0

    def of(self, units: Iterable[str], done: Iterable[str] = ()) -> float:
        """Units in order, after others; each counts once."""
        total, seen = 0.0, set(done)
        runs = {_run(unit) for unit in seen}
        for unit in units:
            if unit not in seen:
                total += self.more[_run(unit)] if _run(unit) in runs else self.first[_run(unit)]
            seen.add(unit)
            runs.add(_run(unit))
        return total

    def whole(self, units: Iterable[str]) -> float:
        """From the beginning to the end; about each unit ends a round."""
        every = list(dict.fromkeys(units))
        return self.start + self.of(every) + self.hand_in * len(every)


@dataclass(frozen=True)
class Option:
    """Members with the same share of their units each.

    Attributes:
        subset: the members.
        share: of their units that run, in (0, 1].
        seconds: that it takes, with the start.
        is_one_view: whether runs answer by their first view alone, where that was measured.
    """

    subset: Subset
    share: float
    seconds: float
    is_one_view: bool = False

    @property
    def num_models(self) -> int:
        """Whose mean the scores of each run are of; of the run with fewest."""
        turns = self.subset.node.turns(self.share)
        return min(
            sum(unit in leaf.units for units in turns for unit in units)
            for leaf in self.subset.node.leaves
        )

    def expected(self, sign: float) -> float:
        """Score times sign, with what its models' mean brings where that is known."""
        averaging = self.subset.averaging
        gain = 0.0 if averaging is None else averaging.beyond(self.num_models)
        return _value(self.subset, sign) + gain

    @property
    def label(self) -> str:
        """As people read it."""
        return ", ".join(self.subset.names) + (", one view" if self.is_one_view else "")

    @property
    def is_thinned(self) -> bool:
        """Whether it leaves units out."""
        return self.share < 1


@dataclass(frozen=True)
class Planned:
    """What is packed.

    Attributes:
        chosen: the option.
        options: all of which none is thinned out, and the chosen one.
        frontier: options that none beats in both score and time, the fastest first.
        score: of the choice among options, each fold by what was chosen without it; None: it is
            undefined.
    """

    chosen: Option
    options: tuple[Option, ...]
    frontier: tuple[Option, ...]
    score: float | None


def searched(
    names: Sequence[str], subset_of: SubsetOf, costs: Costs, *, higher_is_better: bool
) -> list[Subset]:
    """Subsets worth looking at: all there are where they are few.

    Else each member alone, all of them, and two ways from single members that none beats in both
    score and time to all: one adds what scores best with those before, the other what gains most
    for its time.

    Args:
        names: all members.
        subset_of: some of them → blended.
        costs: of their units.
        higher_is_better: of the metric.
    """
    if 2 ** len(names) <= _MOST_SUBSETS:
        sizes = range(1, len(names) + 1)
        return [subset_of(some) for size in sizes for some in combinations(names, size)]
    sign = 1.0 if higher_is_better else -1.0
    alone = [subset_of([name]) for name in names]
    found = {subset.names: subset for subset in alone}
    for start in frontier(options_of(alone, costs), sign):
        for worth in (_by_score(sign), _by_time(sign, costs)):
            now = start.subset
            while len(now.names) < len(names):
                grown = [subset_of([*now.names, name]) for name in names if name not in now.names]
                now = max(grown, key=partial(worth, now))
                found.setdefault(now.names, now)
    return list(found.values())


def _by_score(sign: float) -> Worth:
    return lambda before, after: _value(after, sign) - _value(before, sign)


def _by_time(sign: float, costs: Costs) -> Worth:
    def worth(before: Subset, after: Subset) -> float:
        gain = _value(after, sign) - _value(before, sign)
        seconds = costs.of(after.node.every_unit, before.node.every_unit)
        # A loss is the worse, the more time it takes.
        return gain / max(seconds, 1e-9) if gain > 0 else gain * seconds

    return worth


def options_of(
    subsets: Sequence[Subset], costs: Costs, *, is_one_view: bool = False
) -> list[Option]:
    """Every subset with all its units, and with fewer and fewer of them, with their times."""
    found = []
    for subset in subsets:
        most = len(subset.node.turns())
        for share in [num / most for num in range(most, 0, -1)]:
            seconds = costs.whole(chain.from_iterable(subset.node.turns(share)))
            found.append(Option(subset, share, seconds, is_one_view))
    return found


def plan(options: Sequence[Option], *, limit_s: float, higher_is_better: bool) -> Planned | None:
    """The run as it is if it stays within a time, else the best option that does.

    Out-of-fold scores cannot see what the mean over fold models brings. Where several seeds tell
    it, it counts; else units are thinned out last: only where no option with all its units stays
    within the time, and of options that differ in that alone the one with most units is taken.

    Args:
        options: at least one; those of the run as it is have the most members.
        limit_s: seconds.
        higher_is_better: of the metric.

    Returns:
        What is chosen, and what that choice is worth; None: nothing fits.
    """
    sign = 1.0 if higher_is_better else -1.0
    within = [option for option in options if option.seconds <= limit_s]
    whole = max(
        options,
        key=lambda option: (len(option.subset.names), option.share, not option.is_one_view),
    )
    if whole in within:
        return Planned(whole, _shown(options, whole), frontier(options, sign), whole.subset.score)
    is_known = all(option.subset.averaging is not None for option in within)
    able = within if is_known else [o for o in within if not o.is_thinned] or within
    if not able:
        return None

    def rank(option: Option) -> tuple[float, float, float]:
        value = option.expected(sign) if is_known else _value(option.subset, sign)
        return value, option.share, -option.seconds

    chosen = max(able, key=rank)
    return Planned(
        chosen,
        _shown(options, chosen),
        frontier(options, sign),
        _without_itself(able, chosen, sign),
    )


def _shown(options: Sequence[Option], chosen: Option) -> tuple[Option, ...]:
    return tuple(option for option in options if not option.is_thinned or option is chosen)


def frontier(options: Sequence[Option], sign: float) -> tuple[Option, ...]:
    """Options that none beats in both score and time, the fastest first; none is thinned out."""
    found: list[Option] = []
    for option in sorted(options, key=lambda option: (option.seconds, len(option.subset.names))):
        value = _value(option.subset, sign)
        best = _value(found[-1].subset, sign) if found else -np.inf
        if not option.is_thinned and value > best:
            found.append(option)
    return tuple(found)


def rounds_of(
    option: Option, costs: Costs, subset_of: SubsetOf, *, sign: float, first_s: float = np.inf
) -> list[Round]:
    """The option's units in order, so that every round makes what is handed in better.

    First one unit of each run, member by member: the best alone of those that are done soon enough,
    else the soonest, then what scores best with those before. After these the other units, in turn.

    Args:
        option: what is to run in the end.
        costs: of its units.
        subset_of: some of its members → blended.
        sign: -1 where lower scores are better.
        first_s: seconds in which the first round is to be done, with the start.
    """
    order: list[str] = []
    left = list(option.subset.names)
    while left:
        able = left if order else _soon(option, left, costs, first_s)
        order.append(max(able, key=lambda name: _value(subset_of([*order, name]), sign)))
        left.remove(order[-1])
    turns = [_member(option.subset, name).turns(option.share) for name in order]
    steps = [(each[0], subset_of(order[: place + 1])) for place, each in enumerate(turns)]
    steps[0] = ((*_first_of_all(option.subset), *steps[0][0]), steps[0][1])
    later = chain.from_iterable(zip_longest(*(each[1:] for each in turns), fillvalue=()))
    steps += [(units, option.subset) for units in later if units]
    found: list[Round] = []
    done: dict[str, None] = {}
    for units, subset in steps:
        new = tuple(unit for unit in units if unit not in done)
        found.append(_round(new, costs.of(new, done), subset, costs.hand_in))
        done |= dict.fromkeys(new)
    return found


def _soon(option: Option, names: Sequence[str], costs: Costs, first_s: float) -> list[str]:
    """Members of which one unit of each run is done in time; the soonest where none is."""
    first = _first_of_all(option.subset)
    seconds = {
        name: costs.whole([*first, *_member(option.subset, name).turns(option.share)[0]])
        for name in names
    }
    soon = [name for name in names if seconds[name] <= first_s]
    return soon or [min(names, key=seconds.__getitem__)]


def _round(units: tuple[str, ...], seconds: float, subset: Subset, hand_in_s: float) -> Round:
    held = subset.held
    return Round(
        units, seconds, subset.node, held.decision, held.by_fold or {}, subset.score, hand_in_s
    )


def _member(subset: Subset, name: str) -> Node:
    """The node of one of a subset's members."""
    if len(subset.names) == 1 and subset.node.gate is None:
        return subset.node
    return subset.node.members[subset.names.index(name)]


def _first_of_all(subset: Subset) -> tuple[str, ...]:
    """The units that every answer waits for."""
    return () if subset.node.gate is None else subset.node.gate.every_unit


def _value(subset: Subset, sign: float) -> float:
    return -np.inf if subset.score is None else sign * subset.score


def _run(unit: str) -> str:
    return unit.split("/")[0]


def _without_itself(able: Sequence[Option], chosen: Option, sign: float) -> float | None:
    """The score where each fold is answered by the option that is best on the other folds."""
    held, rows, preds = chosen.subset.held, [], []
    folds = held.folds
    try:
        for fold in np.unique(folds).tolist():
            others, own = folds != fold, np.flatnonzero(folds == fold)
            best = max(able, key=lambda option: _score_on(option.subset, others, sign))
            rows.append(own)
            preds.append(best.subset.preds[own])
        every = joined(preds)[np.argsort(np.concatenate(rows))]
        return held.problem.metric(every, held.target, held.weight)
    except ValueError:
        return None


def _score_on(subset: Subset, rows: np.ndarray, sign: float) -> float:
    try:
        return sign * subset.held.among(rows).score(subset.held.problem.metric)
    except ValueError:
        return -np.inf
