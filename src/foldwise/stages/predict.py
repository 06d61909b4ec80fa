"""Merges the predictions of a run's units: folds side by side, seeds and test rows averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise import predictions as predictions_file
from foldwise.config.recipe import Recipe
from foldwise.errors import RunError
from foldwise.predictions import Predictions, concatenate
from foldwise.publish import locked, publish_json
from foldwise.rundir import Home, RunDir, UnitDir, read_json
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem
from foldwise.tasks.task import merge


@dataclass(frozen=True)
class Merged:
    """What a run's predictions were merged from.

    Attributes:
        run: the run.
        folds: held-out folds that are there with every seed.
        missing: folds of the problem that are not.
        changed: whether files were written now.
    """

    run: RunDir
    folds: tuple[int, ...]
    missing: tuple[int, ...]
    changed: bool


def predict(home: Home, name: str, *, problem: Problem | None = None) -> Merged:
    """Merge a run's done units into `oof.parquet` and `test.parquet`.

    A fold counts once all its seeds are done, so that every row is averaged over as many.

    Args:
        home: the competition.
        name: a run of a recipe.
        problem: if it is already open.

    Raises:
        RunError: no fold is done.
    """
    problem = problem or open_problem(home)
    run = home.run(name)
    record = run.read_record()
    if record["kind"] != "recipe":
        raise RunError(
            f"{run.name} is a {record['kind']}: it has no units to merge",
            remedy="use `foldwise blend` or `foldwise evaluate`",
        )
    units = _done_units(problem, run, record)
    seeds = sorted({unit.seed for unit in units if unit.fold is not None})
    by_fold = {
        fold: [unit for unit in units if unit.fold == fold]
        for fold in sorted(set(problem.folds.tolist()))
    }
    folds = [fold for fold, found in by_fold.items() if len(found) == len(seeds) > 0]
    if not folds:
        raise RunError(
            f"{run.name}: no fold is done with every seed",
            remedy=f"run `foldwise train {run.name}` first",
        )
    missing = tuple(fold for fold in by_fold if fold not in folds)
    fold_units = [unit for fold in folds for unit in by_fold[fold]]
    refits = [unit for unit in units if unit.fold is None]
    inputs = {u.folder.name: read_json(u.folder.record) for u in [*fold_units, *refits]}
    merged_file = run.path / "merged.json"
    with locked(run.lock, doing="merging the run", wait_s=60):
        if read_json(merged_file) == inputs and run.oof.exists() and run.test.exists():
            return Merged(run, tuple(folds), missing, changed=False)
        test_units = refits or fold_units
        _merge(run, by_fold, folds, test_units, lambda u: u.valid, lambda u: u.test)
        has_reference = all(unit.folder.reference_valid.exists() for unit in fold_units)
        if has_reference:
            _write_reference(run, record, by_fold, folds, fold_units)
        publish_json(merged_file, inputs)
    return Merged(run, tuple(folds), missing, changed=True)


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
