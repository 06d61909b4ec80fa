"""Merges the predictions of a run's units: folds side by side, seeds and test rows averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise import predictions as predictions_file
from foldwise.config.recipe import Recipe
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.predictions import Predictions, concatenate
from foldwise.publish import locked, publish_json
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.display import Display
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem
from foldwise.tasks.task import merge


@dataclass(frozen=True)
class Merged:
    """What a run's predictions were merged from.

    Attributes:
        run: the run.
        folds: held-out folds that are there with every seed that counts.
        missing: folds of the problem that are not.
        left_out: seeds that are there but have not all these folds.
        changed: whether files were written now.
    """

    run: RunDir
    folds: tuple[int, ...]
    missing: tuple[int, ...]
    left_out: tuple[int, ...]
    changed: bool


def predict(
    home: Home, name: str, *, problem: Problem | None = None, display: Display | None = None
) -> Merged:
    """Merge a run's done units into `oof.parquet` and `test.parquet`.

    Every row is averaged over the same seeds: those that have the most folds, and of these as many
    as have the same ones. Seeds that are left out are said.

    Args:
        home: the competition.
        name: a run of a recipe.
        problem: if it is already open.
        display: where it is said.

    Raises:
        RunError: no fold is done, or not with the test rows there are now.
    """
    problem = problem or open_problem(home)
    run = home.run(name)
    record = run.read_record()
    if record["kind"] != "recipe":
        raise RunError(
            f"{run.name} is a {record['kind']}: it has no units to merge",
            remedy="use `foldwise blend` or `foldwise evaluate`",
        )
    done = _done_units(problem, run, record)
    units = [unit for unit in done if unit.is_scored()]
    folds, seeds = _covered(units)
    if not folds:
        raise RunError(
            f"{run.name}: the test rows are others by now and not scored yet"
            if any(unit.fold is not None for unit in done)
            else f"{run.name}: no fold is done",
            remedy=f"run `foldwise train {run.name}` first: it does what is missing, no more",
        )
    known = sorted(set(problem.folds.tolist()))
    missing = tuple(fold for fold in known if fold not in folds)
    left_out = tuple(sorted({unit.seed for unit in units} - set(seeds)))
    if left_out:
        (display or Display()).warn(
            f"{run.name}: {_counted('seed', left_out)} left out: fewer folds than "
            f"{_counted('seed', seeds)}"
        )
    chosen = [u for u in units if u.seed in seeds and (u.fold is None or u.fold in folds)]
    return Merged(run, folds, missing, left_out, changed=merge_units(run, record, chosen))


def merge_units(run: RunDir, record: dict[str, Any], units: Sequence[Unit]) -> bool:
    """Merge these units into the run's files, and into those of its reference if all have one.

    Args:
        run: theirs.
        record: its own.
        units: that are there: of equal seeds in each fold, and refits on all rows.

    Returns:
        Whether files were written now; not if they are of these units already.
    """
    folds = sorted({unit.fold for unit in units if unit.fold is not None})
    by_fold = {fold: [unit for unit in units if unit.fold == fold] for fold in folds}
    fold_units = [unit for fold in folds for unit in by_fold[fold]]
    refits = [unit for unit in units if unit.fold is None]
    inputs = {u.folder.name: read_json(u.folder.record) for u in [*fold_units, *refits]}
    merged_file = run.path / "merged.json"
    with locked(run.lock, doing="merging the run", wait_s=60):
        if read_json(merged_file) == inputs and run.oof.exists() and run.test.exists():
            return False
        test_units = refits or fold_units
        _merge(run, by_fold, folds, test_units, lambda u: u.valid, lambda u: u.test)
        has_reference = all(unit.folder.reference_valid.exists() for unit in fold_units)
        if has_reference:
            _write_reference(run, record, by_fold, folds, fold_units)
        publish_json(merged_file, inputs)
    return True


def _covered(units: Sequence[Unit]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The most folds that one seed has, and all the seeds that have these."""
    by_seed: dict[int, set[int]] = {}
    for unit in units:
        if unit.fold is not None:
            by_seed.setdefault(unit.seed, set()).add(unit.fold)
    if not by_seed:
        return (), ()
    most = max(map(len, by_seed.values()))
    choices = [
        (folds, tuple(sorted(seed for seed, found in by_seed.items() if folds <= found)))
        for _, folds in sorted(by_seed.items())
        if len(folds) == most
    ]
    folds, seeds = max(choices, key=lambda choice: len(choice[1]))
    return tuple(sorted(folds)), seeds


def _counted(what: str, numbers: Sequence[int]) -> str:
    return f"{what}{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _done_units(problem: Problem, run: RunDir, record: dict[str, Any]) -> list[Unit]:
    recipe = Recipe.model_validate(record["recipe"])
    folds: list[int | None] = [*sorted(set(problem.folds.tolist())), None]
    units = [
        Unit(problem, recipe, run, fold, seed, record["epochs"])
        for fold in folds
        for seed in record["seeds"]
    ]
    return [unit for unit in units if unit.is_done()]


def _merge(
    run: RunDir,
    by_fold: dict[int, list[Unit]],
    folds: Sequence[int],
    test_units: Sequence[Unit],
    valid: Callable[[UnitDir], Path],
    test: Callable[[UnitDir], Path],
) -> None:
    def read(unit: Unit, place: Callable[[UnitDir], Path]) -> Predictions:
        return predictions_file.read(place(unit.folder))

    held_out = [merge([read(unit, valid) for unit in by_fold[fold]]) for fold in folds]
    predictions_file.write(run.test, merge([read(unit, test) for unit in test_units]))
    predictions_file.write(run.oof, concatenate(held_out))


def _write_reference(
    run: RunDir,
    record: dict[str, Any],
    by_fold: dict[int, list[Unit]],
    folds: Sequence[int],
    fold_units: Sequence[Unit],
) -> None:
    """The frozen head as a run of its own inside the run, so that it can be a member."""
    reference = run.reference
    _merge(
        reference,
        by_fold,
        folds,
        fold_units,
        lambda u: u.reference_valid,
        lambda u: u.reference_test,
    )
    publish_json(reference.record, {**record, "kind": "reference", "of": run.name})
