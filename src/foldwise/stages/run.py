"""Does the plan in order, unattended, only what is not up to date, and hands something in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from foldwise import device as machine
from foldwise.config.duration import seconds
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError, FoldwiseError
from foldwise.home import Home
from foldwise.publish import locked
from foldwise.stages.audit import audit
from foldwise.stages.display import Display
from foldwise.stages.examining.bound import (
    check_blends,
    check_metrics,
    check_steps,
    check_targets,
    unbound,
)
from foldwise.stages.examining.unhonoured import check_keys
from foldwise.stages.features import feed
from foldwise.stages.prepare import prepare
from foldwise.stages.progress import duration
from foldwise.stages.recipes import (
    Places,
    joined,
    load_plan,
    network_inputs,
    plan_places,
    planned_places,
    planned_recipes,
)
from foldwise.stages.scheduling.budget import Allotment
from foldwise.stages.scheduling.conclusion import Conclusion, Done
from foldwise.stages.scheduling.deadline import kept
from foldwise.stages.scheduling.deadline_clock import say_clock
from foldwise.stages.scheduling.floor import hand_in_floor, stands_on_floor
from foldwise.stages.scheduling.schedule import Schedule
from foldwise.stages.split import split
from foldwise.stages.train import held_units, record_run, run_units
from foldwise.stages.training.fed_by import check_sources
from foldwise.stages.training.taught import check_teachers, teach
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem


def run(
    home: Home,
    *,
    overrides: Sequence[str] = (),
    stop_at: float | None = None,
    dry_run: bool = False,
    display: Display | None = None,
) -> Done:
    """All stages of the plan.

    A unit, run or blend that fails does not stop the others. With a time limit, units are
    forecast, shortened or left out, and what is left at the end goes to scoring and handing in; a
    valid file is there before the first of them starts.

    Args:
        home: the competition.
        overrides: `key=value` for the plan.
        stop_at: moment on the monotonic clock by which all is done; None: no limit.
        dry_run: only say what would be done and how long it would take.
        display: where progress is shown.

    Raises:
        ConfigError: competition, plan or recipes are wrong.
        DataError: tables or images are.
        BudgetError: the time was up before the images were prepared.
        LockedError: another `run` works on this competition.
    """
    show = display or Display()
    started = machine.monotonic()
    plan = load_plan(home, overrides)
    recipes, places = planned_recipes(home, overrides), planned_places(home, overrides)
    _check_keys(recipes, places)
    _check_sources(home, plan, recipes, places)
    check_blends(home, plan, recipes, plan_places(home, overrides))
    with locked(home.stamp("run").with_suffix(".lock"), doing="foldwise run"):
        with kept(stop_at, "preparing, auditing and splitting the data"):
            prepare(home, inputs=network_inputs(recipes.values()), display=show)
            problem = open_problem(home)
            check_metrics(problem)
            check_targets(problem, recipes, places)
            for sentence in problem.competition.undecided:
                show.warn(f"undecided: {sentence}")
            say_clock(problem.competition, show)
            audit(home, problem=problem, display=show)
            split(home, plan=plan, problem=problem, display=show)
        problem = open_problem(home)
        done = Done()
        schedule = Schedule(problem, plan, recipes, started, stop_at)
        with kept(stop_at, "checking and timing the recipes"):
            if stop_at is not None and not dry_run:
                hand_in_floor(problem, show)
            schedule = _without_broken(schedule, places, show, done)
            allotment = schedule.allotment(show)
        done.failed |= schedule.broken
        done.notes += allotment.notes
        if dry_run:
            return done
        conclusion = Conclusion(problem, plan, recipes, stop_at, show, done)
        _train(schedule, allotment, conclusion)
        trained = machine.monotonic()
        conclusion.conclude()
        if allotment.units:
            schedule.remember_tail(machine.monotonic() - trained)
    show.say(f"done in {duration(machine.monotonic() - started)}")
    if done.failed:
        show.warn(f"not done, {len(done.failed)} in all: {', '.join(done.failed)}")
    return done


def _check_keys(recipes: Mapping[str, Recipe], places: Mapping[str, Places]) -> None:
    """Check what can be before images are prepared, and how they are, of all recipes at once."""
    problems = []
    for name, recipe in recipes.items():
        for check in (check_keys, check_steps):
            try:
                check(recipe, places[name])
            except ConfigError as problem:
                problems.append(problem)
    if problems:
        raise joined(problems)


def _check_sources(
    home: Home, plan: Plan, recipes: Mapping[str, Recipe], places: Mapping[str, Places]
) -> None:
    """Check that what recipes read and are taught by is there or in the plan."""
    planned = [name for name, recipe in recipes.items() if not recipe.is_second_level]
    problems = []
    for name, recipe in recipes.items():
        try:
            check_sources(home, recipe, places[name], planned=planned)
            check_teachers(home, name, recipe, places[name], recipes=recipes, blends=plan.blends)
        except ConfigError as problem:
            problems.append(problem)
    if problems:
        raise joined(problems)


def _without_broken(
    schedule: Schedule, places: Mapping[str, Places], show: Display, done: Done
) -> Schedule:
    """The schedule without recipes of which a part cannot be bound; they are said.

    Raises:
        ConfigError: that is every recipe of the plan.
    """
    waiting = {
        name: schedule.recipes[name] for name, state in schedule.standings.items() if state.waiting
    }
    broken = unbound(schedule.problem, waiting, places) if waiting else {}
    if broken and len(broken) == len(schedule.recipes):
        raise joined(list(broken.values()))
    for name, error in broken.items():
        done.failed[name] = str(error)
        show.warn(f"{name} is left out: {error}")
    sound = {name: recipe for name, recipe in schedule.recipes.items() if name not in broken}
    return replace(schedule, recipes=sound) if broken else schedule


def _train(schedule: Schedule, allotment: Allotment, conclusion: Conclusion) -> None:
    """Train what was allotted; the first finished fold is handed in at once.

    Done units whose test rows are others by now score them with the weights they have.
    """
    show, done = conclusion.show, conclusion.done
    units = list(_recorded(allotment, conclusion))
    names = {unit.name for unit in units}
    units += [unit for unit in _unscored(schedule) if unit.name not in names]
    held = held_units(units)
    for name, who in held.items():
        done.failed[name] = who
        show.warn(f"{name}: {who}")
    free = [unit for unit in units if unit.name not in held]
    free.sort(key=lambda unit: (schedule.plan.seeds.index(unit.seed), unit.fold is None))
    for batch, until in _batches(schedule, free):
        conclusion.blend_teachers([unit.recipe for unit in batch])
        some, refused = feed(batch, stop_at=until, display=show)
        some, untaught = teach(some, display=show)
        for name, why in {**refused, **untaught}.items():
            show.warn(f"{name}: {why}")
            if schedule.stop_at is None:
                done.failed[name] = why
            else:  # There was no time for what it reads.
                done.notes.append(f"{name}: {why}")
        outcomes = run_units(
            some,
            stop_at=until,
            parallel=schedule.parallel,
            rates=schedule.measured[0],
            display=show,
        )
        for outcome in outcomes:
            if outcome.stopped:
                done.notes.append(f"{outcome.job.name}: {outcome.error}")
            elif outcome.error is not None:
                done.failed[outcome.job.name] = outcome.error
            else:
                name = outcome.job.name.partition("/")[0]
                are_done = [unit.again().is_done() for unit in free if unit.run.name == name]
                if all(are_done) or (any(are_done) and stands_on_floor(conclusion.home)):
                    conclusion.settle(name)


def _unscored(schedule: Schedule) -> list[Unit]:
    """Units that are done, but not with the test rows there are now."""
    every = [unit for standing in schedule.standings.values() for unit in standing.units]
    return [unit for unit in every if unit.is_done() and not unit.is_scored()]


def _recorded(allotment: Allotment, conclusion: Conclusion) -> Iterator[Unit]:
    """The units to train, the records of their runs written; without those that are refused."""
    refused: set[str] = set()
    known: set[str] = set()
    # Networks first: the record of a second-level run says what it reads of theirs.
    for unit in sorted(allotment.units, key=lambda unit: unit.recipe.is_second_level):
        name = unit.run.name
        if name not in known | refused:
            try:
                record_run(unit, allotment.seeds)
                known.add(name)
            except FoldwiseError as error:
                refused.add(name)
                conclusion.done.failed[name] = str(error)
                conclusion.show.warn(f"{name}: {error}")
        if name in known:
            yield unit


def _batches(
    schedule: Schedule, units: Sequence[Unit]
) -> Iterator[tuple[list[Unit], float | None]]:
    """Units side by side and when they are stopped: each run with a limit of its own by itself.

    Units come when all that they read or are taught by is trained.
    """
    until, when = schedule.train_until, schedule.generations
    for generation in sorted({when[unit.run.name] for unit in units}):
        now = [unit for unit in units if when[unit.run.name] == generation]
        alone = {unit.run.name: unit.recipe.train.limit for unit in now}
        free = [unit for unit in now if alone[unit.run.name] is None]
        if free:
            yield free, until
        for name, limit in alone.items():
            if limit is not None:
                own = machine.monotonic() + seconds(limit)
                some = [unit for unit in now if unit.run.name == name]
                yield some, own if until is None else min(own, until)
