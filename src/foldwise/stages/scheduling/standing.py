"""What of a recipe is trained already, and at which length the rest must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from foldwise.stages.training.unit import Unit

#: Epochs, None for the whole schedule → the units of one recipe.
UnitsOf = Callable[[int | None], list[Unit]]


@dataclass(frozen=True)
class Standing:
    """A recipe's units at the length they are to have.

    Attributes:
        units: all of them.
        waiting: those that are not done.
        epochs: their length; None: the whole schedule.
        is_settled: some are done at that length, so the others must have it, too.
        is_begun: some are settled, or at least begun at that length; they would begin anew at
            another one.
    """

    units: tuple[Unit, ...]
    waiting: tuple[Unit, ...]
    epochs: int | None
    is_settled: bool
    is_begun: bool

    def renewed(self, sources: Sequence[Standing], teachers: Sequence[Standing] = ()) -> Standing:
        """Of the folds and seeds that its sources and teachers train, all wait.

        Args:
            sources: whose features a second-level recipe reads.
            teachers: who label test rows for it; for a unit on all rows each of their folds does.
        """
        before = [unit for each in (*sources, *teachers) for unit in each.waiting]
        trained: set[tuple[int | None, int]] = {(unit.fold, unit.seed) for unit in before}
        trained |= {(None, unit.seed) for each in teachers for unit in each.waiting}
        names = {unit.name for unit in self.waiting}
        waiting = [u for u in self.units if u.name in names or (u.fold, u.seed) in trained]
        return replace(self, waiting=tuple(waiting))


def standing(units_of: UnitsOf, recorded: int | None, *, keeps_short: bool) -> Standing:
    """How a recipe stands.

    Full-length units are never traded for shorter ones; a length that an earlier run chose and
    recorded is kept where time is short again.

    Args:
        units_of: the recipe's.
        recorded: epochs in the run's record; None: none were chosen.
        keeps_short: whether a recorded length still counts; else all is trained in full.
    """
    full = _standing(units_of(None), None)
    if recorded is None or full.is_settled or not keeps_short:
        return full
    return _standing(units_of(recorded), recorded)


def _standing(units: Sequence[Unit], epochs: int | None) -> Standing:
    waiting = tuple(unit for unit in units if not unit.is_done())
    is_settled = len(waiting) < len(units) or any(unit.is_pending() for unit in waiting)
    is_begun = is_settled or any(unit.is_begun() for unit in waiting)
    return Standing(tuple(units), waiting, epochs, is_settled, is_begun)
