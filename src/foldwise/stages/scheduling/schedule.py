"""What a plan trains now: all that is not done, or what can be done in the time left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from foldwise import device as machine
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.rundir import RunDir, read_json
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.budget import Allotment, allot
from foldwise.stages.scheduling.forecast import (
    Rates,
    measure,
    num_epochs,
    run_seconds,
    unit_seconds,
)
from foldwise.stages.train import units_of
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem

#: Kept back at the end for merging, scoring, blending, handing in and the report: measured 1 to
#: 3 s a run and 5 to 10 s for the report on small data; never less than a twentieth of the time.
_TAIL_S = 15.0
_TAIL_RUN_S = 4.0
_TAIL_SHARE = 0.05


@dataclass(frozen=True)
class Schedule:
    """A plan's recipes and the time there is for them.

    Attributes:
        problem: with folds.
        plan: seeds and recipes.
        recipes: name → resolved recipe, in the plan's order.
        started: when the command began, on the monotonic clock.
        stop_at: when all must be done; None: no limit.
    """

    problem: Problem
    plan: Plan
    recipes: dict[str, Recipe]
    started: float
    stop_at: float | None

    @property
    def train_until(self) -> float | None:
        """When training must be over for the rest to be done in time."""
        if self.stop_at is None:
            return None
        tail = max(
            _TAIL_S + _TAIL_RUN_S * len(self.recipes), _TAIL_SHARE * (self.stop_at - self.started)
        )
        return self.stop_at - tail

    def units(self, name: str, seeds: Sequence[int], epochs: int | None) -> list[Unit]:
        """The units of a recipe."""
        run = RunDir(self.problem.home.runs / name)
        return units_of(self.problem, self.recipes[name], run, seeds=seeds, epochs=epochs)

    def costs(self, units: Sequence[Unit]) -> dict[str, float]:
        """Unit → its forecast in seconds, for those that are not done."""
        return {
            unit.name: unit_seconds(
                unit,
                self.rates[unit.run.name],
                unit.epochs or num_epochs(self.recipes[unit.run.name]),
            )
            for unit in units
            if not unit.is_done()
        }

    @cached_property
    def waiting(self) -> dict[str, int]:
        """Recipe → units of its whole schedule that are not done."""
        return {
            name: sum(not unit.is_done() for unit in self.units(name, self.plan.seeds, None))
            for name in self.recipes
        }

    @cached_property
    def begun(self) -> dict[str, int]:
        """Recipes that an earlier limited run shortened and began → the epochs recorded then."""
        found = {}
        for name in self.recipes:
            record = read_json(RunDir(self.problem.home.runs / name).record)
            epochs = None if record is None else record.get("epochs")
            if epochs is not None and self.waiting[name]:
                found[name] = int(epochs)
        return found

    @cached_property
    def measured(self) -> tuple[dict[str, Rates], dict[str, str]]:
        """Recipe → rates of this machine, of those that are not done; and errors of trials."""
        todo = {name: self.recipes[name] for name, count in self.waiting.items() if count}
        return measure(self.problem.home, todo)

    @property
    def rates(self) -> dict[str, Rates]:
        """Recipe → rates of this machine, for those that are not done."""
        return self.measured[0]

    @property
    def broken(self) -> dict[str, str]:
        """Recipe → error, where a trial failed: it is not trained, the others are."""
        return self.measured[1]

    def allotment(self, show: Display) -> Allotment:
        """What is trained, said before it starts.

        Raises:
            BudgetError: there is no time at all.
        """
        if not any(self.waiting.values()):
            show.say("all units are done")
            return Allotment(dict.fromkeys(self.recipes), self.plan.seeds, 0.0)
        for name, error in self.broken.items():
            show.warn(f"{name} is left out, its trial failed: {error}")
        whole = self._forecast(show)
        if self.train_until is None:
            if self.begun:
                show.say(f"shortened before, now in full: {', '.join(self.begun)}")
            return whole
        return self._within(self.train_until - machine.monotonic(), show)

    def _forecast(self, show: Display) -> Allotment:
        total = 0.0
        for name, rates in self.rates.items():
            units = self.units(name, self.plan.seeds, None)
            seconds = run_seconds(units, rates, num_epochs(self.recipes[name]))
            total += seconds
            show.say(
                f"  {name}: {self.waiting[name]} of {len(units)} units to train, "
                f"about {duration(seconds)}"
            )
        show.say(f"training takes about {duration(total)} in full")
        sound = [name for name in self.recipes if name not in self.broken]
        return Allotment(dict.fromkeys(sound), self.plan.seeds, total)

    def _within(self, seconds: float, show: Display) -> Allotment:
        """What fits: done recipes as they are, begun ones with their epochs, the rest chosen."""
        fixed: dict[str, int | None] = {
            name: self.begun.get(name)
            for name, count in self.waiting.items()
            if name not in self.broken and (not count or name in self.begun)
        }
        open_recipes = {n: r for n, r in self.recipes.items() if n not in {*fixed, *self.broken}}
        first = self.plan.seeds[:1]
        spent = sum(
            run_seconds(self.units(name, first, epochs), self.rates[name], epochs)
            for name, epochs in self.begun.items()
            if name in fixed
        )
        if not open_recipes:
            return Allotment(fixed, first if self.begun else self.plan.seeds, spent)
        found = allot(
            open_recipes,
            self.rates,
            self.units,
            seeds=first if self.begun else self.plan.seeds,
            seconds=max(seconds - spent, 1.0) if seconds > 0 else seconds,
        )
        assert self.stop_at is not None
        for note in found.notes:
            show.warn(f"{note}, to end in {duration(self.stop_at - machine.monotonic())}")
        epochs = fixed | found.epochs
        ordered = {name: epochs[name] for name in self.recipes if name in epochs}
        return Allotment(ordered, found.seeds, found.seconds + spent, found.notes)
