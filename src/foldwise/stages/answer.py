"""Answers the test rows with a pack: a complete submission from the first minute on, in time."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from foldwise import device as machine
from foldwise.cluster.local import run_jobs
from foldwise.config.duration import seconds
from foldwise.config.recipe import Recipe
from foldwise.publish import locked
from foldwise.rundir import Home
from foldwise.stages.answering.handing_in import SUBMISSION, HandIn, unit_dir
from foldwise.stages.answering.pacing import Pacing
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.test_rows import decode_test_rows, list_test_rows
from foldwise.stages.display import Display
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from foldwise.stages.packing.predict import BEGUN
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.sessions.clock import container_age_s
from foldwise.stages.sessions.mounted import find_data
from foldwise.stages.sessions.opening import lay_out_runs, open_home, read_pack
from foldwise.stages.training.starting import unit_job
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem
from foldwise.time_records import machine_name


def answer(
    pack: Path,
    *,
    source: Path,
    output: Path,
    limit: str | None = None,
    age_s: float = 0.0,
    work: Path | None = None,
    display: Display | None = None,
) -> HandIn:
    """Score the test rows round by round, and hand in after every round.

    The first `submission.csv` has the same answer for every row and is there before any image is
    opened. A round that would not end in time is not begun, and a unit that still runs when the
    time is up is stopped; what was handed in stays. Killed and started again in the same folder,
    units that have scored the rows are not run again.

    Args:
        pack: its folder.
        source: below it lie the data.
        output: folder that gets `submission.csv`, and `answer.json` which says what is in it.
        limit: how long it may take; None: what the pack was planned for.
        age_s: seconds of that which have passed already.
        work: folder to work in; None: among the system's temporary ones.
        display: where progress is shown.

    Raises:
        RunError: it is no pack that answers.
        DataError: the data are not there, or the test table is wrong.
        BudgetError: the disk has no room for the decoded images.
        LockedError: another process answers in the same folder.
    """
    show = display or Display()
    facts = read_pack(pack, "answer")
    pacing = Pacing(seconds(limit or facts["limit"]), age_s)
    rounds = [Round.from_json(value) for value in facts["rounds"]]
    found = HandIn(output, len(rounds), pacing, show)
    place = work or Path(tempfile.gettempdir()) / "foldwise" / f"{facts['name']}-{facts['id']}"
    place.mkdir(parents=True, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    with locked(place / ".lock", doing=f"answering with {facts['name']}"):
        data = find_data(source, facts["marks"], place / "unpacked")
        home = open_home(pack, data, place / "competition")
        lay_out_runs(pack, home)
        recipes = _recipes(home, rounds)
        test = list_test_rows(home)
        found.constant(open_problem(home))
        decode_test_rows(home, test, [recipe.input for recipe in recipes.values()], show)
        problem = open_problem(home)
        if len(problem.test):
            _work_off(problem, recipes, rounds, found)
        else:
            found.say("no test image can be used")
    whole = "all that was planned is in it" if found.is_whole else "not all is in it, see above"
    show.say(f"{output / SUBMISSION}: {found.rounds} of {found.num_rounds} rounds; {whole}")
    return found


def planned_limit(pack: Path) -> str:
    """How long a pack was planned to take at most, such as `9h`."""
    return str(read_pack(pack, "answer")["limit"])


def age_s(pack: Path) -> float:
    """Seconds that count to a limit before this moment.

    On the pack's platform since the session's container was started, elsewhere since `predict.py`
    was called or this process was started.
    """
    platform = NOTEBOOK_PLATFORMS.get(read_pack(pack, "answer")["platform"])
    if platform is not None and machine_name() == platform.name:
        return container_age_s()
    begun = os.environ.get(BEGUN)
    if begun is not None:
        return max(0.0, machine.monotonic() - float(begun))
    return max(0.0, time.time() - float(psutil.Process().create_time()))


def _work_off(
    problem: Problem, recipes: dict[str, Recipe], rounds: Sequence[Round], found: HandIn
) -> None:
    """Round after round, with as many side by side as there are GPUs."""
    at_once, threads = side_by_side(machine.num_gpus() or 1)
    pacing, number = found.pacing, 0
    while number < len(rounds):
        now = rounds[number : number + at_once]
        forecast = max(round_.seconds for round_ in now)
        # The first one is tried in any case: it is stopped in time, and there is nothing else yet.
        if number and not pacing.fits(forecast):
            found.say(
                f"rounds {number + 1} to {len(rounds)} are left out: the next one would take "
                f"{pacing.pace * forecast:.0f} s, {max(0.0, pacing.left_s):.0f} s are left"
            )
            return
        begun = machine.monotonic()
        units = [_unit(problem, recipes, unit) for round_ in now for unit in round_.units]
        jobs = [unit_job("answer_unit", unit, threads, pacing.stop_at) for unit in units]
        names = {unit.name: f"{unit.run.name}/{unit.folder.name}" for unit in units}
        for outcome in run_jobs(jobs, parallel=at_once):
            if outcome.error is None:
                found.units.append(names[outcome.job.name])
            else:
                why = "the time is up" if outcome.stopped else outcome.error
                found.say(f"{outcome.job.name}: {why}")
        pacing.took(machine.monotonic() - begun, forecast)
        for place, round_ in enumerate(now, start=number + 1):
            if set(round_.units) <= set(found.units):
                found.round(problem, place, round_)
        number += len(now)


def _recipes(home: Home, rounds: Sequence[Round]) -> dict[str, Recipe]:
    """Run → recipe, of all units of all rounds."""
    names = dict.fromkeys(unit.split("/")[0] for round_ in rounds for unit in round_.units)
    records = {name: home.run(name).read_record() for name in names}
    return {name: Recipe.model_validate(record["recipe"]) for name, record in records.items()}


def _unit(problem: Problem, recipes: dict[str, Recipe], unit: str) -> Unit:
    run, (fold, seed) = unit.split("/")[0], unit_dir(problem.home, unit).place
    record = problem.home.run(run).read_record()
    return Unit(problem, recipes[run], problem.home.run(run), fold, seed, record["epochs"])
