"""The jobs that `train` gives to a cluster: plain functions of paths, run in their own process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foldwise import device as machine
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.publish import locked, publish_json
from foldwise.rundir import Home, read_json
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem


def train_unit(
    home: str, run: str, fold: int | None, seed: int, threads: int, epochs: int | None
) -> str:
    """Train a unit whose run has a record; killed and started again, it ends with the same bits.

    Args:
        home: the competition's folder.
        run: the run's folder.
        fold: held-out fold; None: all rows.
        seed: of all random draws.
        threads: compute threads.
        epochs: shortened schedule, or None.

    Returns:
        What the user should know, or nothing.

    Raises:
        LockedError: another process trains it.
    """
    with _held(home, run, fold, seed, epochs) as unit:
        if unit.is_done() or unit.is_pending():
            return "already done"
        _clean(unit)
        choices = _choices(unit, threads)
        from foldwise.stages.training.work import work

        return work(unit, choices)


def finish_unit(
    home: str, run: str, fold: int | None, seed: int, threads: int, epochs: int | None, epoch: int
) -> str:
    """Finish a unit that waited for its epoch; as `train_unit`, with the epoch to keep, from 0."""
    with _held(home, run, fold, seed, epochs) as unit:
        if unit.is_done():
            return "already done"
        choices = _choices(unit, threads)
        from foldwise.stages.training.work import finish_pending

        return finish_pending(unit, choices, epoch)


def prepare_features(home: str, run: str, timing: str) -> None:
    """Compute the features of a run's frozen backbone for all samples and views.

    Args:
        home: the competition's folder.
        run: the run's folder.
        timing: file for progress.
    """
    found = Home(Path(home))
    record = found.run(run).read_record()
    recipe = from_values(record["recipe"], Recipe, source=f"run {run}")
    problem = open_problem(found)
    from foldwise.engine.assemble import Assembly
    from foldwise.stages.progress import Reporter
    from foldwise.stages.training.work import backbone_features

    backbone_features(Assembly(problem, recipe), machine.pick(), Reporter(Path(timing)))


@contextmanager
def _held(home: str, run: str, fold: int | None, seed: int, epochs: int | None) -> Iterator[Unit]:
    found = Home(Path(home))
    folder = found.run(run).unit(fold, seed)
    # Before torch is imported: who comes second must know at once.
    with locked(folder.lock, doing=f"training {Path(run).name}/{folder.name}"):
        record = found.run(run).read_record()
        recipe = from_values(record["recipe"], Recipe, source=f"run {run}")
        yield Unit(open_problem(found), recipe, found.run(run), fold, seed, epochs)


def _clean(unit: Unit) -> None:
    """Remove strays, and everything if the folder holds another unit's work."""
    folder = unit.folder
    begun = read_json(folder.choices)
    if begun is not None and begun["inputs"] != unit.inputs:
        for path in folder.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path not in (folder.lock, folder.log):
                path.unlink()


def _choices(unit: Unit, threads: int) -> dict[str, Any]:
    """Choices made from the machine: recorded before they take effect, and reread."""
    stored = read_json(unit.folder.choices)
    if stored is not None:
        return dict(stored)
    choices = {"inputs": unit.inputs, "threads": threads, "device": machine.pick().type}
    publish_json(unit.folder.choices, choices)
    return choices
