"""Works off a pack's rounds while there is time, and hands in after each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from foldwise import device as machine
from foldwise import predictions as predictions_file
from foldwise.cluster.local import Job, run_jobs
from foldwise.parts import Spec
from foldwise.stages.answering.handing_in import HandIn
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.settled import settling
from foldwise.stages.answering.units import unit_of
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.training.jobs import ALREADY
from foldwise.stages.training.starting import unit_job
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem
from foldwise.time_records import machine_name
from foldwise.views import num_passes

Views = Mapping[str, Sequence[Spec]]


def work_off(
    problem: Problem, rounds: Sequence[Round], views: Views, found: HandIn, *, settles: bool = True
) -> None:
    """Round after round, with as many side by side as there are GPUs.

    Args:
        problem: whose test rows are answered.
        rounds: in order.
        views: run → those it answers by, where they are not its recipe's.
        found: is handed every round that is done, and told what is not.
        settles: whether rows whose answer stands fast are left out for the units to come.
    """
    at_once, threads = side_by_side(machine.num_gpus() or 1)
    found.measured = {
        "machine": f"{machine_name()}: {at_once} x {machine.accelerator()}, {threads} threads each",
        "num_images": len(problem.test),
        "start_s": round(found.pacing.spent_s - found.pacing.age_s, 1),
        "units": {},
        "num_views": _num_views(problem, rounds, views),
    }
    last, number = settling(problem, rounds[-1]) if settles else None, 0
    while number < len(rounds):
        now = rounds[number : number + at_once]
        # The first one is tried in any case: it is stopped in time, and there is nothing else yet.
        if number and _is_too_late(now, number, len(rounds), found):
            return
        settled = None if last is None else last.rows(problem, found.units)
        path = None
        if settled is not None:
            path = problem.home.path / "settled.parquet"
            predictions_file.write(path, settled)
            found.settled = len(settled.ids)
        units = [unit_of(problem, unit) for round_ in now for unit in round_.units]
        jobs = [
            unit_job("answer_unit", unit, threads, found.pacing.stop_at, *_more(unit, views, path))
            for unit in units
        ]
        _run(jobs, units, at_once, now, found, is_whole=path is None)
        for place, round_ in enumerate(now, start=number + 1):
            if not round_.units or not set(round_.units).isdisjoint(found.units):
                found.round(problem, place, round_)
        number += len(now)


def _is_too_late(now: Sequence[Round], number: int, planned: int, found: HandIn) -> bool:
    forecast, pacing = _forecast(now), found.pacing
    if pacing.fits(forecast):
        return False
    found.say(
        f"rounds {number + 1} to {planned} are left out: the next one would take "
        f"{pacing.pace * forecast:.0f} s, {max(0.0, pacing.left_s):.0f} s are left"
    )
    return True


def _forecast(now: Sequence[Round]) -> float:
    return max(round_.seconds for round_ in now)


def _run(
    jobs: Sequence[Job],
    units: Sequence[Unit],
    at_once: int,
    now: Sequence[Round],
    found: HandIn,
    *,
    is_whole: bool,
) -> None:
    """Run units, and note which have scored the rows and, of whole ones, what they took."""
    names = {unit.name: f"{unit.run.name}/{unit.folder.name}" for unit in units}
    begun, done, is_fresh = machine.monotonic(), [], True
    for outcome in run_jobs(jobs, parallel=at_once):
        if outcome.error is None:
            done.append(names[outcome.job.name])
            is_fresh &= outcome.value != ALREADY
        else:
            why = "the time is up" if outcome.stopped else outcome.error
            found.say(f"{outcome.job.name}: {why}")
    took_s = machine.monotonic() - begun
    found.units += done
    if not is_fresh:  # Done before a kill: that says nothing of the pace.
        return
    found.pacing.took(took_s, _forecast(now))
    # Of a unit that was stopped, or had fewer rows, nobody knows what it would have taken.
    if is_whole and done and len(done) == len(units):
        found.measured["units"] |= dict.fromkeys(done, round(took_s / len(done), 2))


def _more(unit: Unit, views: Views, settled: Path | None) -> tuple[str | None, str | None]:
    """What `answer_unit` takes beside the unit; features of frozen backbones are of all rows."""
    own, recipe = views.get(unit.run.name), unit.recipe
    sees_all = settled is None or recipe.freeze == "backbone" or recipe.is_second_level
    return None if own is None else json.dumps(list(own)), None if sees_all else str(settled)


def _num_views(problem: Problem, rounds: Sequence[Round], views: Views) -> dict[str, float]:
    """Run → in how many views it answers, each by what it takes."""
    names = {unit.split("/")[0]: unit for round_ in rounds for unit in round_.units}
    return {
        name: num_passes(views.get(name) or unit_of(problem, unit).recipe.views)
        for name, unit in names.items()
    }
