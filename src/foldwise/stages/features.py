"""Writes what a run's networks see in each image: their features, one file a unit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foldwise import device as machine
from foldwise.cluster.local import Job, run_jobs
from foldwise.config.recipe import Recipe
from foldwise.errors import BudgetError, FoldwiseError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.featuring.files import features_path, is_written, num_bytes
from foldwise.stages.prepare import prepare
from foldwise.stages.progress import TimeLeft, duration
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem

#: The share of the free disk that they may take.
_MAX_SHARE = 0.8


@dataclass(frozen=True)
class Written:
    """How the features of a run stand.

    Attributes:
        run: the run.
        paths: unit → its file, of those that are up to date.
        changed: files that were written now.
        failed: unit → why it has none.
    """

    run: RunDir
    paths: dict[str, Path]
    changed: tuple[Path, ...]
    failed: dict[str, str]


def features(
    home: Home,
    name: str,
    *,
    units: Sequence[Unit] | None = None,
    stop_at: float | None = None,
    display: Display | None = None,
) -> Written:
    """Write the features of all rows, train and test, by the network of each done unit.

    Networks that were trained apart have no space in common, so each has a file of its own: only
    rows of one file can be compared. Units of a frozen backbone share one. The identity view is
    taken. What is up to date stays; killed and run again, it goes on with the next unit.

    Args:
        home: the competition.
        name: a run of a recipe with a network.
        units: of this run; None: all that are done.
        stop_at: on the monotonic clock; jobs still running then are stopped.
        display: where disk need, forecast and progress are shown.

    Raises:
        RunError: no such run, one that has no features, or none of its units is done.
        BudgetError: the disk is too full.
    """
    show = display or Display()
    run = home.run(name)
    recipe = network_recipe(run)
    prepare(home, inputs=[recipe.input], display=show)
    if units is None:
        units = _done_units(open_problem(home), run, recipe)
    if not units:
        raise RunError(
            f"{name}: no unit is done with the rows and folds there are now",
            remedy=f"run `foldwise train {name}` first",
        )
    first = {features_path(unit): unit for unit in reversed(units)}  # A frozen one: only once.
    todo = [unit for unit in first.values() if not is_written(unit)][::-1]
    failed = _write_all(run, todo, stop_at, show) if todo else {}
    if not todo:
        show.say(f"{name}: features are up to date")
    changed = tuple(features_path(unit) for unit in todo if unit.name not in failed)
    paths = {unit.name: features_path(unit) for unit in units if is_written(unit)}
    return Written(run, paths, changed, failed)


def network_recipe(run: RunDir) -> Recipe:
    """The recipe of a run that has a network of its own.

    Raises:
        RunError: there is no such run, or it has no network of its own.
    """
    record = run.read_record()
    if record["kind"] != "recipe":
        raise RunError(
            f"{run.name} is a {record['kind']}: it has no network of its own",
            remedy="name a run of a recipe with a network",
        )
    recipe = Recipe.model_validate(record["recipe"])
    if recipe.is_second_level:
        raise RunError(
            f"{run.name} is a second-level model: it has no network of its own",
            remedy=f"name the run whose features it reads: {', '.join(recipe.sources)}",
        )
    return recipe


def feed(
    units: Sequence[Unit], *, stop_at: float | None = None, display: Display
) -> tuple[list[Unit], dict[str, str]]:
    """Write the features that second-level units need now; networks pass through.

    Args:
        units: to be trained.
        stop_at: on the monotonic clock; features that are not written by then are not.
        display: where it is shown.

    Returns:
        Units that can be fitted, as new objects since what they are made from may have changed;
        and unit → why it cannot be.
    """
    fresh = [unit.again() if unit.recipe.is_second_level else unit for unit in units]
    reading = [unit for unit in fresh if unit.recipe.is_second_level and not unit.is_scored()]
    refused = {unit.name: why for unit in reading if (why := _unready(unit))}
    wanted: dict[str, list[Unit]] = {}
    for unit in reading:
        for source in unit.sources if unit.name not in refused else ():
            assert source is not None
            wanted.setdefault(source.run.name, []).append(source)
    missing: dict[str, str] = {}
    for name, sources in wanted.items():
        try:
            home = sources[0].problem.home
            found = features(home, name, units=sources, stop_at=stop_at, display=display)
        except FoldwiseError as error:
            missing |= {source.name: str(error) for source in sources}
            continue
        missing |= {
            source.name: found.failed.get(source.name, "its features are not written")
            for source in sources
            if source.name not in found.paths
        }
    for unit in reading:
        lacking = [missing[s.name] for s in unit.sources if s is not None and s.name in missing]
        if lacking:
            refused[unit.name] = lacking[0]
    return [unit for unit in fresh if unit.name not in refused], refused


def _unready(unit: Unit) -> str:
    """Why a second-level unit cannot be fitted yet; "" if it can."""
    for name, source in zip(unit.recipe.sources, unit.sources, strict=True):
        if source is None:
            return f"there is no run {name!r} to take features from"
        record = read_json(source.folder.record)
        if record is None:
            return (
                f"{source.name} is not trained, whose features it reads; train {name} with fold "
                f"{'none left out (refit: all)' if source.fold is None else source.fold} and seed "
                f"{source.seed} first"
            )
        if not source.is_done():
            is_other = record["inputs"]["train"] != source.inputs["train"]
            what = "other folds or rows" if is_other else "another recipe, code or task"
            return f"{source.name} was trained on {what} than there are now; train {name} again"
    return ""


def _done_units(problem: Problem, run: RunDir, recipe: Recipe) -> list[Unit]:
    record = run.read_record()
    folds: list[int | None] = [*sorted(set(problem.folds.tolist())), None]
    units = [
        Unit(problem, recipe, run, fold, seed, record["epochs"])
        for seed in record["seeds"]
        for fold in folds
    ]
    return [unit for unit in units if unit.is_done()]


def _write_all(
    run: RunDir, units: Sequence[Unit], stop_at: float | None, show: Display
) -> dict[str, str]:
    """Write one file after the other, each with all cores; unit → why it was not."""
    need = sum(num_bytes(unit) for unit in units)
    free = shutil.disk_usage(run.path).free
    files = "1 file needs" if len(units) == 1 else f"{len(units)} files need"
    said = f"features of {run.name}: {files} {_size(need)}, {_size(free)} are free"
    if need > _MAX_SHARE * free:
        raise BudgetError(
            f"{said}, and they may take {_MAX_SHARE:.0%} of it",
            remedy="free some disk: features of other runs, in runs/NAME/features, can be had "
            "again",
        )
    threads = machine.num_cores()
    num_images = len(units[0].problem.train) + len(units[0].problem.test)
    show.say(f"{said}{_forecast(units, num_images, threads, stop_at)}")
    folder = features_path(units[0]).parent
    jobs = [
        Job(
            name=unit.name,
            function="foldwise.stages.featuring.jobs:write_features",
            arguments=(*_place(unit), threads, str(folder / f".{unit.folder.name}.jsonl")),
            log=folder / "log.txt",
            threads=threads,
            stop_at=stop_at,
            costs=unit.problem.home.costs,
        )
        for unit in units
    ]
    left = TimeLeft(dict.fromkeys((unit.name for unit in units), 1.0))
    watched = [(unit.name, folder / f".{unit.folder.name}.jsonl") for unit in units]
    failed: dict[str, str] = {}
    with show.watching(watched) as poll:
        for outcome in run_jobs(jobs, parallel=1, poll=poll):
            name = outcome.job.name
            show.ended(f"{name} features", outcome.error, outcome.value, left.ended(name))
            if outcome.error is not None:
                failed[name] = outcome.error
    for _, path in watched:
        path.unlink(missing_ok=True)
    return failed


def _forecast(units: Sequence[Unit], num_images: int, threads: int, stop_at: float | None) -> str:
    """How long it will take, by a few batches of the first network; "" if they cannot be had."""
    first = units[0]
    job = Job(
        name=f"{first.name} trial",
        function="foldwise.stages.featuring.jobs:infer_rate_of",
        arguments=_place(first),
        log=features_path(first).with_name("log.txt"),
        threads=threads,
        stop_at=stop_at,
    )
    for outcome in run_jobs([job], parallel=1):
        if outcome.error is None:
            return f"; about {duration(len(units) * num_images / outcome.value)}"
    return ""


def _place(unit: Unit) -> tuple[str, str, int | None, int]:
    return str(unit.problem.home.path), str(unit.run.path), unit.fold, unit.seed


def _size(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
