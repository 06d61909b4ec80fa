"""How long units will take: rates measured by a short trial on this machine, then arithmetic."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from foldwise import device as machine
from foldwise.cluster.local import Job, run_jobs
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.scheduling.lanes import needs_features, side_by_side
from foldwise.stages.scheduling.rates import UNKNOWN, Rates
from foldwise.stages.scheduling.unit_forecast import unit_forecast
from foldwise.stages.training.prints import recipe_print
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from foldwise.views import num_passes

#: A schedule is not shortened below this many epochs: what is left out then helps the others.
MIN_EPOCHS = 2
_TRIAL_S = 3.0
_MAX_STEPS = 20
_INFER_BATCHES = 3
#: Trials share the machine as units do, but machines drift: of a time limit this is left over.
MARGIN = 1.15
#: A pass with all cores against as many passes with one core each, side by side.
_ALL_CORES = 0.9


def measure(
    home: Home,
    recipes: dict[str, Recipe],
    *,
    parallel: int | None = None,
    seconds: float | None = None,
) -> tuple[dict[str, Rates], dict[str, str]]:
    """Rates of recipes by a few seconds' trial each; known ones are reread.

    As many are tried side by side as units will be, if need be one of them several times: units
    share memory and caches.

    Args:
        home: with prepared images and folds.
        recipes: name → resolved recipe.
        parallel: units side by side, as in training; None: by GPUs or cores.
        seconds: that all trials may take; None: no limit.

    Returns:
        Recipe → rates, `UNKNOWN` where there was no time for a trial; and for those whose trial
        failed, as their training would: the error.
    """
    stored = read_json(home.stamp("rates")) or {}
    at_once, threads = side_by_side(parallel)
    networks = {name: recipe for name, recipe in recipes.items() if not recipe.is_second_level}
    keys = {name: rates_key(recipe, parallel) for name, recipe in networks.items()}
    untried = {name: recipe for name, recipe in networks.items() if keys[name] not in stored}
    spans = _TRIAL_S if seconds is None else seconds * at_once / max(len(untried), 1) / 4
    jobs = [
        Job(
            name=name,
            function="foldwise.stages.scheduling.forecast:trial",
            arguments=(
                str(home.path),
                json.dumps(recipe.model_dump(mode="json")),
                threads,
                min(spans, _TRIAL_S),
            ),
            log=home.path / ".foldwise" / "trial-log.txt",
            threads=threads,
            stop_at=None if seconds is None else machine.monotonic() + seconds,
        )
        for name, recipe in _filling(untried, at_once)
    ]
    failed: dict[str, str] = {}
    for outcome in run_jobs(jobs, parallel=at_once):
        if outcome.error is None:
            key = keys[outcome.job.name]
            stored[key] = _slower(stored.get(key), outcome.value)
        elif not outcome.stopped:
            failed[outcome.job.name] = outcome.error
    if jobs:
        publish_json(home.stamp("rates"), stored)
    found = {name: Rates(**stored[key]) if key in stored else UNKNOWN for name, key in keys.items()}
    found |= {
        name: _of_second_level(home, recipe, networks, stored, parallel)
        for name, recipe in recipes.items()
        if recipe.is_second_level
    }
    return {name: found[name] for name in recipes if name not in failed}, failed


def _filling(untried: Mapping[str, Recipe], at_once: int) -> list[tuple[str, Recipe]]:
    """Trials to make: all, and the first ones again where places side by side are left."""
    places = -(-len(untried) // at_once) * at_once
    return list(islice(cycle(untried.items()), places)) if untried else []


def _slower(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    """Of two trials of a recipe."""
    return other if one is None or other["infer"] < one["infer"] else one


def _of_second_level(
    home: Home,
    recipe: Recipe,
    networks: Mapping[str, Recipe],
    stored: Mapping[str, Any],
    parallel: int | None,
) -> Rates:
    """Rates of a head: its images are those that the networks of its sources must pass."""
    seconds = 0.0
    for name in recipe.sources:
        source = networks.get(name)
        if source is None:
            record = read_json(home.run(name).record) or {}
            source = Recipe.model_validate(record["recipe"]) if "recipe" in record else None
        if source is None or source.freeze == "backbone":
            continue  # Features of a frozen backbone are there since it was trained.
        rates = stored.get(rates_key(source, parallel))
        seconds += 1.0 / (UNKNOWN.infer if rates is None else rates["infer"])
    return Rates(start_s=0.0, infer=1.0 / seconds if seconds else float("inf"))


def rates_key(recipe: Recipe, parallel: int | None) -> str:
    """What stored rates depend on: the recipe, the machine, and how many units share it."""
    where = [*side_by_side(parallel), machine.num_gpus()]
    return fingerprint([recipe_print(recipe), *where, "by kind of epoch"])


def trial(home: str, recipe: str, threads: int, seconds: float) -> dict[str, Any]:
    """At most `seconds` of training and a few inference batches; the job behind `measure`."""
    from foldwise.engine.assemble import Assembly
    from foldwise.stages.training.step_trials import decide_layout
    from foldwise.stages.training.trial import infer_trial, train_trial

    machine.keep_freed_memory()  # As the units do.
    problem = open_problem(Home(Path(home)))
    resolved = from_values(json.loads(recipe), Recipe, source="recipe")
    started = time.monotonic()
    assembly = Assembly(problem, resolved)
    network = assembly.network()
    start_s = time.monotonic() - started
    network.set_layout(decide_layout(assembly, network, machine.pick()))
    infer = infer_trial(assembly, network, num_batches=_INFER_BATCHES)
    train = train_trial(assembly, network, seconds=seconds, max_steps=_MAX_STEPS)
    return asdict(Rates(start_s, infer.rate, train.rates, infer.image_s))


def run_seconds(
    waiting: Sequence[Unit], rates: Rates, epochs: int, *, parallel: int | None = None
) -> float:
    """Forecast of units of one run side by side, features included.

    Args:
        waiting: units that are not done.
        rates: of their recipe.
        epochs: of their schedule.
        parallel: units at a time; None: by GPUs or cores.
    """
    if not waiting:
        return 0.0
    at_once, _ = side_by_side(parallel)
    each = [unit_forecast(unit, rates, epochs).seconds for unit in waiting]
    rounds = float(np.ceil(len(each) / at_once)) * max(each)
    problem, recipe = waiting[0].problem, waiting[0].recipe
    if needs_features(recipe, problem.task):
        num_samples = (len(problem.train) + len(problem.test)) * num_passes(recipe.views)
        passes = num_samples * _share_computed(waiting[0])
        rounds += passes / (rates.infer * at_once * _ALL_CORES)
    return rounds


def _share_computed(unit: Unit) -> float:
    """Of the images that frozen features are of; a Siamese network computes each content once."""
    if unit.recipe.model.siamese is None:
        return 1.0
    fed = [unit.image_hashes(part) for part in (unit.problem.train, unit.problem.test)]
    return sum(len(set(part)) for part in fed) / sum(map(len, fed))


def epochs_within(
    units: Sequence[Unit], rates: Rates, seconds: float, *, parallel: int | None = None
) -> int:
    """The most epochs, at least `MIN_EPOCHS` and at most all, with which units stay within a time.

    Units that are done count as well, so that asking again when some are gives the same.
    """
    whole = num_epochs(units[0].recipe)
    least = min(MIN_EPOCHS, whole)
    fits = bisect_right(
        range(least, whole + 1),
        seconds / MARGIN,
        key=lambda epochs: run_seconds(units, rates, epochs, parallel=parallel),
    )
    return max(least, least + fits - 1)


def num_epochs(recipe: Recipe) -> int:
    """Epochs of the recipe's schedule; a second-level model has none."""
    return 0 if recipe.is_second_level else recipe.train.num_epochs
