"""What a plan trains now: all that is not done, or what can be done in the time left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from foldwise import device as machine
from foldwise.config.duration import seconds
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.budget import Allotment, Candidate, allot
from foldwise.stages.scheduling.forecast import (
    MARGIN,
    MIN_EPOCHS,
    epochs_within,
    measure,
    num_epochs,
    run_seconds,
)
from foldwise.stages.scheduling.generations import generations, teacher_runs
from foldwise.stages.scheduling.rates import UNKNOWN, Rates
from foldwise.stages.scheduling.standing import Standing, standing
from foldwise.stages.scheduling.unit_forecast import unit_forecast
from foldwise.stages.train import units_of
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem

#: Kept back at the end for merging, scoring, blending, handing in and the report: what it took
#: last time and half as much again; before that, measured on small data, 1 to 3 s a run and 5 to
#: 10 s for the report. Never less than a twentieth of the time, never more than a fifth.
_TAIL_S, _TAIL_RUN_S, _TAIL_MARGIN = 15.0, 4.0, 1.5
_LEAST_TAIL, _MOST_TAIL = 0.05, 0.2
#: Of the time left for training, what trials may take.
_TRIALS_SHARE = 0.3
#: A recorded length that is shorter than this share of what a limit allows had another reason.
_NEAR = 0.6
_TAIL = "tail"


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
    def parallel(self) -> int | None:
        """Units side by side; None: by GPUs or cores."""
        return None if self.plan.parallel == "auto" else self.plan.parallel

    @cached_property
    def train_until(self) -> float | None:
        """When training must be over for the rest to be done in time."""
        if self.stop_at is None:
            return None
        whole = max(self.stop_at - self.started, 0.0)
        took = read_json(self.problem.home.stamp(_TAIL))
        usual = (
            _TAIL_S + _TAIL_RUN_S * len(self.recipes)
            if took is None
            else _TAIL_MARGIN * float(took["seconds_per_run"]) * len(self.recipes)
        )
        return self.stop_at - min(max(usual, _LEAST_TAIL * whole), _MOST_TAIL * whole)

    def remember_tail(self, seconds: float) -> None:
        """Keep how long the end of this command took, for the next one with a limit."""
        per_run = seconds / max(len(self.recipes), 1)
        publish_json(self.problem.home.stamp(_TAIL), {"seconds_per_run": per_run})

    def units(self, name: str, epochs: int | None) -> list[Unit]:
        """All units of a recipe at a number of epochs; None: its whole schedule."""
        run = RunDir(self.problem.home.runs / name)
        recipe = self.recipes[name]
        return units_of(self.problem, recipe, run, seeds=self.plan.seeds, epochs=epochs)

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """Recipe → what of it is done, and the length that the rest must have."""
        found = {
            name: standing(
                partial(self.units, name),
                self._recorded(name),
                keeps_short=self.stop_at is not None or self._is_by_its_limit(name),
            )
            for name in self.recipes
        }
        for name in sorted(self.recipes, key=self.generations.__getitem__):
            recipe = self.recipes[name]
            sources = [found[source] for source in recipe.sources if source in found]
            runs = teacher_runs(recipe, self.plan.blends)
            teachers = [found[run] for run in runs if run in found]
            if sources or teachers:
                found[name] = found[name].renewed(sources, teachers)
        return found

    @cached_property
    def generations(self) -> dict[str, int]:
        """Recipe → when it is trained: after all that it reads or is taught by."""
        return generations(self.recipes, self.plan.blends)

    @cached_property
    def measured(self) -> tuple[dict[str, Rates], dict[str, str]]:
        """Recipe → rates of this machine, of those that are not done; and errors of trials."""
        todo = {name: self.recipes[name] for name, state in self.standings.items() if state.waiting}
        until = self.train_until
        spare = None if until is None else _TRIALS_SHARE * max(until - machine.monotonic(), 0.0)
        return measure(self.problem.home, todo, parallel=self.parallel, seconds=spare)

    @property
    def broken(self) -> dict[str, str]:
        """Recipe → error, where a trial failed: it is not trained, the others are."""
        return self.measured[1]

    def allotment(self, show: Display) -> Allotment:
        """What is trained, said before it starts."""
        if not any(state.waiting for state in self.standings.values()):
            show.say("all units are done")
            return Allotment((), self.plan.seeds)
        for name, error in self.broken.items():
            show.warn(f"{name} is left out, its trial failed: {error}")
        candidates = [self._candidate(name) for name in self.measured[0]]
        self._forecast(candidates, show)
        left = float("inf")
        if self.stop_at is not None and self.train_until is not None:
            left = self.train_until - machine.monotonic()
        found = (
            allot(candidates, seeds=self.plan.seeds, seconds=left / MARGIN) if candidates else None
        )
        if found is None:
            return Allotment((), self.plan.seeds)
        notes = [*self._kept_short(), *self._limited(candidates)]
        for note in notes:
            show.warn(note)
        for note in found.notes:
            show.warn(f"{note}, to end in {duration(self._until_end())}")
        return replace(found, notes=(*notes, *found.notes))

    def _recorded(self, name: str) -> int | None:
        record = read_json(RunDir(self.problem.home.runs / name).record)
        return None if record is None else record.get("epochs")

    def _is_by_its_limit(self, name: str) -> bool:
        """Whether a recorded length is what the recipe's own limit asks for, or nearly so."""
        recipe, recorded = self.recipes[name], self._recorded(name)
        if recipe.train.limit is None or recorded is None:
            return False
        rates, _ = measure(self.problem.home, {name: recipe}, parallel=self.parallel)
        return name in rates and recorded >= _NEAR * self._within_limit(name, rates[name])

    def _within_limit(self, name: str, rates: Rates) -> int:
        limit = self.recipes[name].train.limit
        assert limit is not None
        units = self.units(name, None)
        return epochs_within(units, rates, seconds(limit), parallel=self.parallel)

    def _candidate(self, name: str) -> Candidate:
        recipe, state, rates = self.recipes[name], self.standings[name], self.measured[0][name]
        whole = num_epochs(recipe) if state.epochs is None else state.epochs
        is_kept = state.is_settled or (state.epochs is not None and state.is_begun)
        if recipe.train.limit is not None and not is_kept:
            whole = min(whole, self._within_limit(name, rates))
        return Candidate(
            recipe=recipe,
            waiting=state.waiting,
            num_units=len(state.units),
            whole=whole,
            least=whole if state.is_settled else min(MIN_EPOCHS, whole),
            rates=rates,
            parallel=self.parallel,
        )

    def _forecast(self, candidates: Sequence[Candidate], show: Display) -> None:
        total = 0.0
        for candidate in candidates:
            epochs = num_epochs(candidate.recipe)
            cost = run_seconds(candidate.waiting, candidate.rates, epochs, parallel=self.parallel)
            total += cost
            guess = ", a guess: there was no time to try it" if candidate.rates is UNKNOWN else ""
            show.say(
                f"  {candidate.name}: {len(candidate.waiting)} of {candidate.num_units} units to "
                f"train, about {duration(cost)}{guess}"
            )
            if not candidate.recipe.is_second_level and not guess:
                one = unit_forecast(candidate.waiting[0], candidate.rates, epochs)
                show.say(f"    one unit: {one}")
        show.say(f"training takes about {duration(total)} in full")

    def _kept_short(self) -> list[str]:
        """Recipes that an earlier command shortened, and that stay so."""
        return [
            f"{name} stays at {state.epochs} of {num_epochs(self.recipes[name])} epochs, as it was "
            "begun; `foldwise run` without a limit trains it in full"
            for name, state in self.standings.items()
            if state.epochs is not None and state.is_settled
        ]

    def _limited(self, candidates: Sequence[Candidate]) -> list[str]:
        """Recipes that their own `train.limit` shortens."""
        return [
            f"{c.name} is shortened to {c.whole} of {num_epochs(c.recipe)} epochs: its train.limit "
            f"is {c.recipe.train.limit}"
            for c in candidates
            if c.recipe.train.limit is not None
            and c.whole < num_epochs(c.recipe)
            and self.standings[c.name].epochs is None
        ]

    def _until_end(self) -> float:
        return 0.0 if self.stop_at is None else max(self.stop_at - machine.monotonic(), 0.0)
