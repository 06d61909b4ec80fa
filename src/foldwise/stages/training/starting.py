"""What a process is started with: jobs for units, and for the features they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foldwise import device as machine
from foldwise.cluster.local import Job
from foldwise.stages.scheduling.lanes import needs_features
from foldwise.stages.training.unit import Unit


def feature_jobs(units: Sequence[Unit], stop_at: float | None) -> list[Job]:
    """One job per run whose units need features: with all cores, before the units wait for it."""
    first: dict[Path, Unit] = {}
    for unit in units:
        if needs_features(unit.recipe, unit.problem.task):
            first.setdefault(unit.run.path, unit)
    return [
        Job(
            name=f"{unit.run.name}/features",
            function="foldwise.stages.training.jobs:prepare_features",
            arguments=(str(unit.problem.home.path), str(unit.run.path), str(unit.folder.timing)),
            log=unit.run.path / "features-log.txt",
            threads=machine.num_cores(),
            stop_at=stop_at,
            costs=unit.problem.home.costs,
        )
        for unit in first.values()
    ]


def unit_job(
    function: str, unit: Unit, threads: int, stop_at: float | None, *more: str | None
) -> Job:
    """A job that calls a function of `training/jobs.py` for a unit, with `more` at the end."""
    home = str(unit.problem.home.path)
    return Job(
        name=unit.name,
        function=f"foldwise.stages.training.jobs:{function}",
        arguments=(home, str(unit.run.path), unit.fold, unit.seed, threads, unit.epochs, *more),
        log=unit.folder.log,
        threads=threads,
        stop_at=stop_at,
        costs=unit.problem.home.costs,
    )
