"""Trains a recipe's units, each in its own process; done units are skipped, killed ones go on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from foldwise import device as machine
from foldwise.cluster.local import Outcome, run_jobs
from foldwise.config.duration import seconds
from foldwise.config.recipe import Recipe
from foldwise.config.writing import difference, fingerprint
from foldwise.errors import LockedError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import holder, locked, publish_json
from foldwise.rundir import RunDir
from foldwise.stages.commit import commit_of
from foldwise.stages.display import Display
from foldwise.stages.examining.bound import check_metrics, check_steps, check_targets, unbound
from foldwise.stages.examining.unhonoured import check_keys
from foldwise.stages.features import feed
from foldwise.stages.prepare import prepare
from foldwise.stages.progress import TimeLeft
from foldwise.stages.recipes import load_recipe, network_inputs, recipe_path, recipe_places
from foldwise.stages.scheduling.announcing import announced
from foldwise.stages.scheduling.forecast import num_epochs
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.scheduling.limit import shortened
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.scheduling.unit_forecast import unit_forecast
from foldwise.stages.training.cross_stop import choose_epochs
from foldwise.stages.training.fed_by import check_sources, second_level_facts
from foldwise.stages.training.prints import code_hash, data_hash, identity, recipe_print
from foldwise.stages.training.starting import feature_jobs, unit_job
from foldwise.stages.training.taught import check_teachers, teach
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem


@dataclass(frozen=True)
class Trained:
    """How the units of a run stand.

    Attributes:
        run: the run's folder.
        done: units whose results are there.
        failed: unit → why it is not done.
    """

    run: RunDir
    done: tuple[Unit, ...]
    failed: dict[str, str]


def train(
    home: Home,
    recipe: str,
    *,
    overrides: Sequence[str] = (),
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    as_name: str | None = None,
    stop_at: float | None = None,
    display: Display | None = None,
) -> Trained:
    """Train the units of a recipe that are not done.

    Args:
        home: the competition; it has folds.
        recipe: name in `recipes/`, or a path to a recipe file.
        overrides: `key=value`, as on the command line.
        folds: held-out folds; None: those the recipe asks for.
        seeds: one unit per fold and seed.
        as_name: name of the run; None: the recipe's.
        stop_at: on the monotonic clock; as under the recipe's own `train.limit`, schedules are
            shortened to end by then, and units still running then are stopped.
        display: where progress is shown.

    Raises:
        ConfigError: the recipe is wrong; nothing is recorded.
        RunError: another recipe's run has this name; shows the difference.
        LockedError: all units to be trained are being trained by others.
    """
    show = display or Display()
    resolved = load_recipe(home, recipe, overrides=overrides)
    places = recipe_places(home, recipe, overrides=overrides)
    run = home.new_run(as_name or recipe_path(home, recipe).stem)
    check_keys(resolved, places)
    check_steps(resolved, places)
    # A forecast of the time would take the first epoch, which decodes, for any other.
    is_timed = stop_at is not None or resolved.train.limit is not None
    prepare(home, inputs=network_inputs([resolved]), fill_later=not is_timed, display=show)
    problem = open_problem(home)
    check_targets(problem, {run.name: resolved}, {run.name: places})
    check_sources(home, resolved, places)
    check_teachers(home, run.name, resolved, places)
    units = units_of(problem, resolved, run, folds=folds, seeds=seeds)
    held = held_units(units)
    if held and len(held) == len([unit for unit in units if not unit.is_done()]):
        raise LockedError(*held.values(), remedy="wait for it to end, or stop it")
    check_metrics(problem)
    if not all(unit.is_done() for unit in units):
        one = {run.name: resolved}
        for error in unbound(problem, one, {run.name: places}, stop_at=stop_at).values():
            raise error
    own_stop = _earliest(stop_at, resolved.train.limit)
    if own_stop is not None and not resolved.is_second_level:
        every = partial(_every_unit, problem, resolved, run, folds, seeds)
        units = shortened(units, every, own_stop - machine.monotonic(), show)
    rates = announced(units, show)
    record_run(units[0], seeds)
    failed = dict(held)
    free = [unit for unit in units if unit.name not in held]
    if resolved.is_second_level:
        units, refused = feed(units, stop_at=own_stop, display=show)
        free = [unit for unit in units if unit.name not in held]
        failed |= refused
    if resolved.has_extra_rows:
        free, refused = teach(free, display=show)
        units = [unit.again() for unit in units]
        failed |= refused
    for outcome in run_units(free, stop_at=own_stop, rates=rates, display=show):
        if outcome.error is not None:
            failed[outcome.job.name] = outcome.error
    return Trained(run, tuple(unit for unit in units if unit.is_done()), failed)


def units_of(
    problem: Problem,
    recipe: Recipe,
    run: RunDir,
    *,
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
) -> list[Unit]:
    """The units of a recipe, all folds of a seed before the next seed, refits last.

    Raises:
        RunError: there is no such fold.
    """
    known = sorted(set(problem.folds.tolist()))
    wanted = list(folds) if folds is not None else known
    if folds is None and recipe.folds != "all":
        wanted = list(recipe.folds)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise RunError(
            f"there is no fold {', '.join(map(str, unknown))}",
            remedy=f"folds.csv has {', '.join(map(str, known))}",
        )
    places: list[tuple[int | None, int]] = [(fold, seed) for seed in seeds for fold in wanted]
    if recipe.refit == "all" and folds is None:
        places += [(None, seed) for seed in seeds]
    return [Unit(problem, recipe, run, fold, seed, epochs) for fold, seed in places]


def _every_unit(
    problem: Problem,
    recipe: Recipe,
    run: RunDir,
    folds: Sequence[int] | None,
    seeds: Sequence[int],
    epochs: int | None,
) -> list[Unit]:
    """The recipe's units and, where other folds were asked for, those as well."""
    asked = [folds, None] if folds is not None else [None]
    return [
        unit
        for some in asked
        for unit in units_of(problem, recipe, run, folds=some, seeds=seeds, epochs=epochs)
    ]


def held_units(units: Sequence[Unit]) -> dict[str, str]:
    """Units that are not done and that another process works on → who."""
    return {
        unit.name: who
        for unit in units
        if not unit.is_done() and (who := holder(unit.folder.lock)) is not None
    }


def run_units(
    units: Sequence[Unit],
    *,
    stop_at: float | None = None,
    parallel: int | None = None,
    rates: Mapping[str, Rates] | None = None,
    display: Display,
) -> Iterator[Outcome]:
    """Train what is not done, features of frozen backbones first; yields each outcome.

    Done units whose test rows are others by now score them with their stored weights before that;
    of these only failures are yielded.

    Args:
        units: of runs whose records are written.
        stop_at: on the monotonic clock; jobs still running then are stopped.
        parallel: units side by side; None: by GPUs or cores.
        rates: run → rates of its recipe, for the time left; runs without any: all units alike.
        display: where progress is shown.
    """
    at_once, threads = side_by_side(parallel)
    _sweep(units)
    waiting = [unit for unit in units if not unit.is_done()]
    unscored = [unit for unit in units if unit.is_done() and not unit.is_scored()]
    watched = [(unit.name, unit.folder.timing) for unit in [*unscored, *waiting]]
    with display.watching(watched) as poll:
        warm_ups = feature_jobs([*unscored, *waiting], stop_at)
        for outcome in run_jobs(warm_ups, parallel=1, poll=poll):
            if outcome.error is not None:
                display.ended(outcome.job.name, outcome.error)
        scoring = [unit_job("score_unit", unit, threads, stop_at) for unit in unscored]
        for outcome in run_jobs(scoring, parallel=at_once, poll=poll):
            notes = filter(None, ["new test rows scored", outcome.value])
            display.ended(outcome.job.name, outcome.error, *notes)
            if outcome.error is not None:
                yield outcome
        untrained = [unit for unit in waiting if not unit.is_pending()]
        known = rates or {}
        left = TimeLeft({unit.name: _cost(unit, known.get(unit.run.name)) for unit in waiting})
        jobs = [
            unit_job("train_unit", unit, threads, stop_at, _stored(known.get(unit.run.name)))
            for unit in untrained
        ]
        for outcome in run_jobs(jobs, parallel=at_once, poll=poll):
            _tell_end(display, outcome, left)
            yield outcome
        pending = [unit for unit in waiting if unit.is_pending()]
        chosen = [] if _is_over(stop_at) else choose_epochs(pending)
        for name in sorted({unit.name for unit in pending} - {unit.name for unit in chosen}):
            reason = "its time is up" if _is_over(stop_at) else "no other fold has a curve yet"
            display.warn(f"{name} is trained and waits for its epoch to be chosen: {reason}")
        finishing = [unit_job("finish_unit", unit, threads, stop_at) for unit in chosen]
        for outcome in run_jobs(finishing, parallel=at_once, poll=poll):
            _tell_end(display, outcome, left)
            yield outcome


def _cost(unit: Unit, rates: Rates | None) -> float:
    """Seconds that a unit is forecast to take, or 1."""
    if rates is None:
        return 1.0
    return unit_forecast(unit, rates, unit.epochs or num_epochs(unit.recipe)).seconds


def _stored(rates: Rates | None) -> str | None:
    """As a job is given them."""
    return None if rates is None else json.dumps(asdict(rates))


def _sweep(units: Sequence[Unit]) -> None:
    """Drop the training states that a kill has left of units that are done."""
    for unit in units:
        if unit.folder.has_states and unit.is_done():
            with suppress(LockedError), locked(unit.folder.lock, doing="sweeping"):
                unit.folder.drop_states()


def _is_over(stop_at: float | None) -> bool:
    return stop_at is not None and machine.monotonic() >= stop_at


def _tell_end(display: Display, outcome: Outcome, left: TimeLeft) -> None:
    display.ended(outcome.job.name, outcome.error, outcome.value, left.ended(outcome.job.name))


def record_run(unit: Unit, seeds: Sequence[int]) -> dict[str, Any]:
    """Write the record of a unit's run, or check that the stored one is of this recipe.

    Returns:
        The record.

    Raises:
        RunError: it is not; shows the difference.
    """
    problem, run = unit.problem, unit.run
    with locked(run.lock, doing="recording the run", wait_s=30):
        stored = read_json(run.record)
        if stored is not None:
            _check_same(run, stored, unit.recipe)
        record = {
            "kind": "recipe",
            "recipe": unit.recipe.model_dump(mode="json"),
            "identity": recipe_print(unit.recipe),
            "seeds": sorted({*(stored or {}).get("seeds", []), *seeds}),
            "epochs": unit.epochs,
            "competition": fingerprint(problem.competition.model_dump(mode="json")),
            "folds": problem.folds_hash,
            "data": data_hash(problem),
            "code": code_hash(problem),
            "machine": machine.describe(),
            "commit": commit_of(problem.home.path),
            **second_level_facts(unit),
            "created": (stored or {}).get("created") or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        if record != stored:
            publish_json(run.record, record)
    return record


def _check_same(run: RunDir, stored: dict[str, Any], recipe: Recipe) -> None:
    if stored.get("kind") != "recipe":
        raise RunError(
            f"{run.path} is a {stored.get('kind')}, not a run of a recipe",
            remedy="choose another name with --as NAME",
        )
    old = identity(Recipe.model_validate(stored["recipe"]))
    changed = difference(old, identity(recipe))
    if changed:
        raise RunError(
            f"the run {run.name!r} was made with another recipe:",
            *(f"  {line}" for line in changed),
            remedy=f"make another run with --as NAME, or delete {run.path}",
        )


def _earliest(stop_at: float | None, limit: str | None) -> float | None:
    if limit is None:
        return stop_at
    own = machine.monotonic() + seconds(limit)
    return own if stop_at is None else min(own, stop_at)
