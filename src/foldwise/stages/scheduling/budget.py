"""Fits a plan into the time left: fewer seeds, then shorter schedules, then fewer recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from foldwise.config.recipe import Recipe
from foldwise.errors import BudgetError
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.forecast import Rates, num_epochs, run_seconds
from foldwise.stages.training.unit import Unit

#: A schedule is not shortened below this many epochs: what is left out then helps the others.
MIN_EPOCHS = 2
_STEPS = 24

#: (recipe, seeds, epochs or None for the whole schedule) → its units.
UnitsOf = Callable[[str, Sequence[int], int | None], list[Unit]]


@dataclass(frozen=True)
class Allotment:
    """What is trained.

    Attributes:
        epochs: recipe → epochs; None: its whole schedule. Recipes that are left out are not in.
        seeds: seeds that are trained.
        seconds: forecast of it all.
        notes: what was shortened or left out, in sentences.
    """

    epochs: dict[str, int | None]
    seeds: tuple[int, ...]
    seconds: float
    notes: list[str] = field(default_factory=list)


def allot(
    recipes: Mapping[str, Recipe],
    rates: Mapping[str, Rates],
    units_of: UnitsOf,
    *,
    seeds: Sequence[int],
    seconds: float,
) -> Allotment:
    """Choose seeds, epochs and recipes so that the forecast stays within the time.

    In this order: all; fewer seeds; all schedules shortened by one factor; the costliest recipe
    left out, and again. One recipe always stays.

    Args:
        recipes: name → resolved recipe, in the plan's order.
        rates: name → measured rates.
        units_of: makes the units; done ones cost nothing.
        seeds: wanted.
        seconds: that training may take.

    Raises:
        BudgetError: there is no time at all.
    """
    if seconds <= 0:
        raise BudgetError(
            "there is no time left for training", remedy="give a longer --limit or later --until"
        )

    def cost(name: str, seeds: Sequence[int], factor: float) -> float:
        return run_seconds(
            units_of(name, seeds, _epochs(recipes[name], factor)),
            rates[name],
            _epochs(recipes[name], factor) or num_epochs(recipes[name]),
        )

    def total(names: Sequence[str], seeds: Sequence[int], factor: float) -> float:
        return sum(cost(name, seeds, factor) for name in names)

    names = list(recipes)
    kept = tuple(seeds)
    while len(kept) > 1 and total(names, kept, 1.0) > seconds:
        kept = kept[:-1]
    notes = []
    if len(kept) < len(seeds):
        notes.append(f"seeds {', '.join(map(str, seeds[len(kept) :]))} are left out")
    while len(names) > 1 and total(names, kept, 0.0) > seconds:
        costliest = max(names, key=lambda name: cost(name, kept, 0.0))
        names.remove(costliest)
        notes.append(
            f"{costliest} is left out: even {_epochs(recipes[costliest], 0.0) or 'its'} epochs "
            f"take {duration(cost(costliest, kept, 0.0))}"
        )
    factor = _largest_factor(lambda share: total(names, kept, share) <= seconds)
    epochs = {name: _epochs(recipes[name], factor) for name in names}
    notes += [
        f"{name} is shortened to {short} of {num_epochs(recipes[name])} epochs"
        for name, short in epochs.items()
        if short is not None
    ]
    return Allotment(epochs, kept, total(names, kept, factor), notes)


def _epochs(recipe: Recipe, factor: float) -> int | None:
    """Epochs at a share of the schedule; None where that is the whole of it."""
    whole = num_epochs(recipe)
    short = max(min(MIN_EPOCHS, whole), int(whole * factor))
    return None if short >= whole else short


def _largest_factor(fits: Callable[[float], bool]) -> float:
    """The largest share of the schedules that fits, by bisection; 0 if none does."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
