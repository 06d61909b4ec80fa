"""Runs the jobs of `views`: a short trial of a network, and units' answers in each view."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from foldwise.cluster.local import Job, run_jobs
from foldwise.errors import BudgetError, RunError
from foldwise.stages.display import Display
from foldwise.stages.progress import TimeLeft
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.training.unit import Unit
from foldwise.stages.viewing.files import missing_views
from foldwise.views import View


@dataclass(frozen=True)
class Trial:
    """What a run's network takes.

    Attributes:
        rate: images per second of the image as it is.
        refused: view → why the network cannot be shown it.
    """

    rate: float
    refused: dict[str, str]


def tried(unit: Unit, names: Sequence[str], stop_at: float | None) -> Trial:
    """A few batches of a done unit's network, and which of these views it takes.

    Raises:
        BudgetError: there is no time for it.
        RunError: it cannot be run.
    """
    _, threads = side_by_side(None)
    job = Job(
        name=f"{unit.name} trial",
        function="foldwise.stages.viewing.jobs:try_views",
        arguments=(*_place(unit), threads, json.dumps(names)),
        log=unit.run.unit_views("log.txt"),
        threads=threads,
        stop_at=stop_at,
    )
    (outcome,) = run_jobs([job], parallel=1)
    if outcome.stopped:
        raise BudgetError(
            f"{unit.name}: the time was up before its network had shown how fast it is",
            remedy="give more time",
        )
    if outcome.error is not None:
        raise RunError(f"{unit.name}: {outcome.error}")
    return Trial(**outcome.value)


def show_all(
    units: Sequence[Unit], views: Sequence[View], stop_at: float | None, show: Display
) -> None:
    """Let units' networks answer their held-out rows in views that they have not answered.

    Side by side and with as many threads as they were trained: to the bits of their predictions.

    Raises:
        RunError: some could not; what the others answered is kept.
    """
    at_once, threads = side_by_side(None)
    names = json.dumps([view.name for view in views])
    todo = [unit for unit in units if missing_views(unit, views)]
    watched = [(unit.name, unit.run.unit_views(f".{unit.folder.name}.jsonl")) for unit in todo]
    jobs = [
        Job(
            name=unit.name,
            function="foldwise.stages.viewing.jobs:show_views",
            arguments=(*_place(unit), threads, names, str(path)),
            log=unit.run.unit_views("log.txt"),
            threads=threads,
            stop_at=stop_at,
            costs=unit.problem.home.costs,
        )
        for unit, (_, path) in zip(todo, watched, strict=True)
    ]
    left = TimeLeft({unit.name: float(len(unit.valid_rows)) for unit in todo})
    failed: dict[str, str] = {}
    with show.watching(watched) as poll:
        for outcome in run_jobs(jobs, parallel=at_once, poll=poll):
            name = outcome.job.name
            show.ended(f"{name} views", outcome.error, outcome.value, left.ended(name))
            if outcome.error is not None:
                failed[name] = outcome.error
    for _, path in watched:
        path.unlink(missing_ok=True)
    if failed:
        raise RunError(
            *(f"{name}: {why}" for name, why in failed.items()),
            remedy="run it again: what is measured is kept",
        )


def _place(unit: Unit) -> tuple[str, str, int | None, int]:
    return str(unit.problem.home.path), str(unit.run.path), unit.fold, unit.seed
