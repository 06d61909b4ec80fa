"""Does the plan in order, unattended, only what is not up to date, and hands something in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from foldwise import device as machine
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.errors import FoldwiseError
from foldwise.publish import locked
from foldwise.rundir import Home, RunDir
from foldwise.stages.audit import audit
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.predict import predict
from foldwise.stages.prepare import prepare
from foldwise.stages.progress import duration
from foldwise.stages.recipes import load_plan, planned_recipes
from foldwise.stages.report import report
from foldwise.stages.scheduling.budget import Allotment
from foldwise.stages.scheduling.schedule import Schedule
from foldwise.stages.split import split
from foldwise.stages.submit import submit
from foldwise.stages.train import held_units, record_run, run_units
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem

T = TypeVar("T")


@dataclass
class Done:
    """What a `run` did.

    Attributes:
        failed: unit, run or blend → why it is not done.
        notes: what was shortened or left out.
    """

    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
    forecast, shortened or left out, and what is left at the end goes to scoring and handing in.

    Args:
        home: the competition.
        overrides: `key=value` for the plan.
        stop_at: moment on the monotonic clock by which all is done; None: no limit.
        dry_run: only say what would be done and how long it would take.
        display: where progress is shown.

    Raises:
        ConfigError: competition, plan or recipes are wrong.
        DataError: tables or images are.
        LockedError: another `run` works on this competition.
    """
    show = display or Display()
    started = machine.monotonic()
    plan = load_plan(home, overrides)
    recipes = planned_recipes(home, plan)
    with locked(home.stamp("run").with_suffix(".lock"), doing="foldwise run"):
        prepare(home, inputs=[recipe.input for recipe in recipes.values()], display=show)
        problem = open_problem(home)
        for sentence in problem.competition.undecided:
            show.warn(f"undecided: {sentence}")
        audit(home, problem=problem, display=show)
        split(home, plan=plan, problem=problem, display=show)
        problem = open_problem(home)
        done = Done()
        schedule = Schedule(problem, plan, recipes, started, stop_at)
        allotment = schedule.allotment(show)
        if dry_run:
            return done
        done.failed |= schedule.broken
        done.notes += allotment.notes
        _train(schedule, allotment, show, done)
        _conclude(home, problem, plan, recipes, show, done)
    show.say(f"done in {duration(machine.monotonic() - started)}")
    if done.failed:
        show.warn(f"not done, {len(done.failed)} in all: {', '.join(done.failed)}")
    return done


def _train(schedule: Schedule, allotment: Allotment, show: Display, done: Done) -> None:
    """Train what was allotted; the first finished fold is handed in at once."""
    home, problem, plan = schedule.problem.home, schedule.problem, schedule.plan
    units: list[Unit] = []
    for name, epochs in allotment.epochs.items():
        found = schedule.units(name, allotment.seeds, epochs)
        if _try(name, partial(record_run, found[0], allotment.seeds), show, done):
            units += found
    held = held_units(units)
    for name, who in held.items():
        done.failed[name] = who
        show.warn(f"{name}: {who}")
    units = sorted(
        (unit for unit in units if unit.name not in held),
        key=lambda unit: (allotment.seeds.index(unit.seed), unit.fold is None),
    )
    parallel = None if plan.parallel == "auto" else plan.parallel
    until = schedule.train_until
    costs = schedule.costs(units)
    for outcome in run_units(units, stop_at=until, parallel=parallel, costs=costs, display=show):
        if outcome.stopped:
            done.notes.append(f"{outcome.job.name}: {outcome.error}")
            continue
        if outcome.error is not None:
            done.failed[outcome.job.name] = outcome.error
            continue
        name = outcome.job.name.partition("/")[0]
        of_run = [unit for unit in units if unit.run.name == name]
        is_first = not home.submission.exists()
        if is_first or all(unit.is_done() for unit in of_run):
            _settle(home, problem, name, show, done)


def _settle(home: Home, problem: Problem, name: str, show: Display, done: Done) -> None:
    """Merge, score and hand in what a run has so far; a failure is said and passed over."""
    quiet = Display(console=show.console, quiet=True)
    _try(name, lambda: predict(home, name, problem=problem), show, done)
    _try(name, lambda: evaluate(home, name, problem=problem, display=quiet), show, done)
    _try("submission", lambda: submit(home, None, problem=problem, display=quiet), show, done)


def _conclude(
    home: Home,
    problem: Problem,
    plan: Plan,
    recipes: dict[str, Recipe],
    show: Display,
    done: Done,
) -> None:
    """Merge, score, blend, hand in and report whatever has been trained."""
    quiet = Display(console=show.console, quiet=True)
    complete: list[str] = []
    for name in recipes:
        if not RunDir(home.runs / name).record.exists():
            continue
        merged = _try(name, partial(predict, home, name, problem=problem), show, done)
        if merged is None:
            continue
        if merged.run.reference.record.exists():
            label = f"{name}/reference"
            _try(label, partial(evaluate, home, label, problem=problem, display=quiet), show, done)
        _try(name, partial(evaluate, home, name, problem=problem, display=show), show, done)
        if not merged.missing:
            complete.append(name)
    for name, config in plan.blends.items():
        everyone = [*complete, *_frozen_heads(home, recipes, complete)]
        members = list(everyone if config.members == "all" else config.members)
        if len(members) < 2:
            show.warn(f"{name}: not blended, only {len(members)} complete runs")
            continue
        _try(
            name,
            partial(
                blend,
                home,
                name,
                method=config.method,
                members=members,
                problem=problem,
                display=show,
            ),
            show,
            done,
        )
    chosen = None if plan.submit == "best" else plan.submit
    _try("submission", partial(submit, home, chosen, problem=problem, display=show), show, done)
    path = _try("report", partial(report, home, display=show), show, done)
    if home.submission.exists():
        show.say(f"submission: {home.submission}")
    if path is not None:
        show.say(f"report: {path}")


def _frozen_heads(home: Home, recipes: dict[str, Recipe], complete: Sequence[str]) -> list[str]:
    """The references of fine-tuned runs, as members: what fine-tuning spoilt is still there.

    Not where a recipe of its own has that backbone frozen: it would count twice.
    """
    frozen = {
        (recipes[name].model.name, recipes[name].input.size)
        for name in complete
        if recipes[name].freeze == "backbone"
    }
    return [
        f"{name}/reference"
        for name in complete
        if RunDir(home.runs / name).reference.oof.exists()
        and (recipes[name].model.name, recipes[name].input.size) not in frozen
    ]


def _try(name: str, call: Callable[[], T], show: Display, done: Done) -> T | None:
    """The call's result; a user's mistake in it is said, and the others go on."""
    try:
        return call()
    except FoldwiseError as error:
        done.failed[name] = str(error)
        show.warn(f"{name}: {error}")
        return None
