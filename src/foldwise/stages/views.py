"""Measures what test-time augmentation is worth to a run and what it costs, and proposes views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foldwise import device as machine
from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.parts import Spec
from foldwise.publish import locked, publish_json, publish_text
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.features import network_recipe
from foldwise.stages.predict import predict
from foldwise.stages.prepare import prepare
from foldwise.stages.progress import duration
from foldwise.stages.reporting.views_chart import alone, views_chart
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.training.prints import code_hash
from foldwise.stages.training.unit import Unit
from foldwise.stages.viewing.affording import Cost, affordable, check_disk
from foldwise.stages.viewing.answers import read_answers
from foldwise.stages.viewing.candidates import Candidates, candidates_of
from foldwise.stages.viewing.files import missing_views, read_views, views_print
from foldwise.stages.viewing.showing import show_all, tried
from foldwise.stages.viewing.telling import tell, tell_left_out
from foldwise.stages.viewing.worth import judge
from foldwise.tasks.problem import Problem, open_problem

#: Raised whenever the same answers would be judged otherwise than before.
_VERSION = 1


def views(
    home: Home,
    name: str,
    *,
    candidates: Sequence[Spec] | None = None,
    stop_at: float | None = None,
    dry_run: bool = False,
    display: Display | None = None,
) -> dict[str, Any] | None:
    """Measure each view's cross-fitted gain and its time, and propose the set to average.

    Each fold's stored network answers its own held-out rows in each view, once: what is stored is
    not computed again, and killed in between it goes on with the next unit. The set is chosen
    forward, anew without each fold, and proposed only if it is proved to be better than the image
    as it is.

    Args:
        home: the competition.
        name: a run of a recipe with a network, two folds at least.
        candidates: views to measure; None: all symmetries that do no harm, small rotations, two
            scales and the middle, as far as the network takes them.
        stop_at: on the monotonic clock; views for which there is no time are left out.
        dry_run: only say what would be measured, and how long it takes.
        display: where forecast, progress and result are shown.

    Returns:
        What was written to `views.json` and drawn in `views.svg`: `run`, `metric`, `num_rows`,
        `num_folds`, `num_test`, `machine`; what `Judged.to_json` gives; `left_out`, `doubts`;
        `oof`, the hash of the predictions it goes with. None for a dry run.

    Raises:
        RunError: there is no such run, it has no network of its own, or fewer than two folds.
        ConfigError: a view is unknown, or is asked for and cannot be shown to the network.
        BudgetError: there is no time for any view, or no disk for the maps of all.
    """
    show = display or Display()
    run = home.run(name)
    recipe = network_recipe(run)
    asked = candidates_of(home, recipe, candidates)
    prepare(home, inputs=[recipe.input], display=show)
    problem = open_problem(home).asked_by(recipe)
    predict(home, name, problem=problem, display=show)
    units = _merged_units(problem, run, recipe)
    check_disk(units, asked.views)
    asked, cost = _possible(units, asked, candidates is not None, stop_at)
    if dry_run or cost.total:
        _announce(asked, cost, show)
    if dry_run:
        tell_left_out(show, asked.left_out)
        return None
    show_all(units, asked.views, stop_at, show)
    found = _found(problem, run, units, asked, show)
    tell(show, found)
    return found


def _merged_units(problem: Problem, run: RunDir, recipe: Recipe) -> list[Unit]:
    """The units that the run's held-out rows are of, each fold with the same seeds."""
    record, merged = run.read_record(), read_json(run.path / "merged.json")
    every = [
        Unit(problem, recipe, run, int(fold), seed, record["epochs"])
        for fold in sorted(set(problem.folds.tolist()))
        for seed in record["seeds"]
    ]
    units = [unit for unit in every if unit.folder.name in merged]
    if len({unit.fold for unit in units}) < 2:
        raise RunError(
            f"{run.name}: one fold is trained, and views cannot be chosen and scored on the same "
            "rows",
            remedy=f"train another fold: foldwise train {run.name}",
        )
    return units


def _possible(
    units: Sequence[Unit], asked: Candidates, is_named: bool, stop_at: float | None
) -> tuple[Candidates, Cost]:
    """What the network takes and there is time for, and the time that it needs."""
    refused = dict(read_views(units[0]).refused)
    missing = {view.name for unit in units for view in missing_views(unit, asked.views)}
    rate = 1.0
    if missing:
        trial = tried(units[0], sorted(missing), stop_at)
        refused |= trial.refused
        rate = trial.rate
    names = {view.name for view in asked.views}
    refused = {name: why for name, why in refused.items() if name in names}
    if refused and is_named:
        raise ConfigError(*(f"--candidates: {why}" for why in refused.values()))
    asked = asked.without(refused)
    cost = Cost.of(units, asked, rate)
    if stop_at is not None:
        asked = affordable(asked, cost, stop_at - machine.monotonic())
    return asked, Cost.of(units, asked, rate)


def _announce(asked: Candidates, cost: Cost, show: Display) -> None:
    names = ", ".join(view.name for view in asked.views)
    show.say(f"{len(asked.views)} views: {names}")
    show.say(
        f"about {duration(cost.total)} to measure" if cost.total else "all of them are measured"
    )


def _found(
    problem: Problem, run: RunDir, units: Sequence[Unit], asked: Candidates, show: Display
) -> dict[str, Any]:
    """What is found, now or before of the same answers."""
    answers = read_answers(problem, run, units, asked.views, show=show)
    inputs = {
        "version": _VERSION,
        "units": {unit.name: views_print(unit) for unit in units},
        "views": [view.name for view in asked.views],
        "own": {view.name: view.weight for view in asked.own},
        "decision": file_hash(run.decision),
        "code": code_hash(problem),
    }
    stored = read_json(run.views)
    if stored is not None and stored["inputs"] == fingerprint(inputs):
        return {**stored, "left_out": asked.left_out, "doubts": asked.doubts}
    there = [read_views(unit) for unit in units]
    num_rows = sum(each.num_rows for each in there)
    seconds = {
        view.name: 1000 * sum(each.seconds[view.name] for each in there) / num_rows
        for view in asked.views
    }
    found = {
        "inputs": fingerprint(inputs),
        "oof": file_hash(run.oof),
        "run": run.name,
        "metric": problem.metric.label,
        "num_rows": len(answers.held),
        **({"notes": list(answers.notes)} if answers.notes else {}),
        "num_folds": len(answers.folds),
        "num_test": len(problem.test),
        "read": 1000 * sum(each.read_s for each in there) / num_rows,
        "machine": machine.describe(),
        **judge(answers, asked.views, asked.own, seconds).to_json(),
        "left_out": asked.left_out,
        "doubts": asked.doubts,
    }
    with locked(run.lock, doing="judging views", wait_s=60):
        publish_json(run.views, found)
        publish_text(run.views_picture, alone(views_chart(found)))
    return found
