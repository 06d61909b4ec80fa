"""Fits recipes into the time left: fewer seeds, shorter schedules, fewer recipes, fewer folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from foldwise.config.recipe import Recipe
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.forecast import num_epochs, run_seconds
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.unit import Unit

_STEPS = 24


@dataclass(frozen=True)
class Candidate:
    """A recipe that wants to be trained, and how far it may be shortened.

    Attributes:
        recipe: resolved.
        waiting: its units that are not done, at least one.
        num_units: all its units.
        whole: epochs it is to have.
        least: epochs it may be shortened to; `whole` where units are done at that length.
        rates: of this machine.
        parallel: units at a time; None: by GPUs or cores.
    """

    recipe: Recipe
    waiting: tuple[Unit, ...]
    num_units: int
    whole: int
    least: int
    rates: Rates
    parallel: int | None = None

    @property
    def name(self) -> str:
        """The run's."""
        return self.waiting[0].run.name

    def epochs(self, factor: float) -> int:
        """Epochs at a share of what it is to have."""
        return max(self.least, int(self.whole * factor))

    def units(self, seeds: Sequence[int], factor: float) -> list[Unit]:
        """Its waiting units at that share."""
        epochs = self.epochs(factor)
        short = None if epochs == num_epochs(self.recipe) else epochs
        return [replace(unit, epochs=short) for unit in self.waiting if unit.seed in seeds]

    def seconds(self, seeds: Sequence[int], factor: float) -> float:
        """Forecast of these units, side by side."""
        units = [unit for unit in self.waiting if unit.seed in seeds]
        return run_seconds(units, self.rates, self.epochs(factor), parallel=self.parallel)

    def first_within(self, units: Sequence[Unit], factor: float, seconds: float) -> list[Unit]:
        """As many of the units, from the first, as the time allows; one in any case."""
        for num in range(len(units), 1, -1):
            cost = run_seconds(units[:num], self.rates, self.epochs(factor), parallel=self.parallel)
            if cost <= seconds:
                return list(units[:num])
        return list(units[:1])


@dataclass(frozen=True)
class Allotment:
    """What is trained.

    Attributes:
        units: in order, each with its epochs.
        seeds: seeds that are trained.
        notes: what was shortened or left out, in sentences.
    """

    units: tuple[Unit, ...]
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()


def allot(candidates: Sequence[Candidate], *, seeds: Sequence[int], seconds: float) -> Allotment:
    """Choose units and epochs so that the forecast stays within the time.

    In this order: all; fewer seeds; all schedules shortened by one factor, but for recipes that
    have units at their length; the costliest recipe left out, and again; of the last one only as
    many folds as fit. One unit always stays. The cheapest recipe comes first: should it all take
    longer than forecast, something is complete.

    Args:
        candidates: in the plan's order.
        seeds: wanted.
        seconds: that training may take; none at all leaves everything out.
    """
    if seconds <= 0:
        names = ", ".join(candidate.name for candidate in candidates)
        return Allotment((), tuple(seeds), (f"there is no time left to train {names}",))

    def total(some: Sequence[Candidate], seeds: Sequence[int], factor: float) -> float:
        return sum(candidate.seconds(seeds, factor) for candidate in some)

    chosen, kept = list(candidates), tuple(seeds)
    while len(kept) > 1 and total(chosen, kept, 1.0) > seconds:
        kept = kept[:-1]
    notes = []
    if len(kept) < len(seeds):
        notes.append(f"seeds {', '.join(map(str, seeds[len(kept) :]))} are left out")
    while len(chosen) > 1 and total(chosen, kept, 0.0) > seconds:
        costliest = max(chosen, key=lambda candidate: candidate.seconds(kept, 0.0))
        chosen.remove(costliest)
        notes.append(_left_out(costliest, kept))
    factor = _largest_factor(lambda share: total(chosen, kept, share) <= seconds)
    chosen.sort(key=lambda candidate: candidate.seconds(kept, factor))
    units: list[Unit] = []
    for candidate in chosen:
        wanted = candidate.units(kept, factor)
        first = candidate.first_within(wanted, factor, seconds) if len(chosen) == 1 else wanted
        units += first
        epochs = candidate.epochs(factor)
        if epochs < candidate.whole:
            whole = num_epochs(candidate.recipe)
            notes.append(f"{candidate.name} is shortened to {epochs} of {whole} epochs")
        if len(first) < len(wanted):
            notes.append(f"{candidate.name}: only {len(first)} of {len(wanted)} units fit")
    return Allotment(tuple(units), kept, tuple(notes))


def _left_out(candidate: Candidate, seeds: Sequence[int]) -> str:
    num_done = candidate.num_units - len(candidate.waiting)
    takes = (
        f"{len(candidate.waiting)} units of {candidate.epochs(0.0)} epochs take "
        f"{duration(candidate.seconds(seeds, 0.0))}"
    )
    if not num_done:
        return f"{candidate.name} is left out: {takes}"
    return (
        f"the rest of {candidate.name} is left out: {takes}, and it is not shortened, for "
        f"{num_done} of {candidate.num_units} units are done at that length"
    )


def _largest_factor(fits: Callable[[float], bool]) -> float:
    """The largest share of the schedules that fits, by bisection; 0 if none does."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
