"""Answers the test rows with a pack: a complete submission from the first minute on, in time."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from foldwise import device as machine
from foldwise.config.duration import seconds
from foldwise.config.network import InputConfig
from foldwise.publish import locked
from foldwise.stages.answering.handing_in import HandIn
from foldwise.stages.answering.pacing import Pacing
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.test_rows import decode_test_rows, list_test_rows, rows_print
from foldwise.stages.answering.units import unit_of, with_sources
from foldwise.stages.answering.working import work_off
from foldwise.stages.display import Display
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from foldwise.stages.packing.predict import BEGUN
from foldwise.stages.sessions.clock import container_age_s
from foldwise.stages.sessions.mounted import find_data
from foldwise.stages.sessions.opening import lay_out_runs, open_home, read_pack, submission_of
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
    in_full: bool = False,
    display: Display | None = None,
) -> HandIn:
    """Score the test rows round by round, and hand in after every round.

    The first submission has the same answer for every row and is there before any image is
    opened. A round that would not end in time is not begun, and a unit that still runs when the
    time is up is stopped; what was handed in stays. Killed and started again in the same folder,
    units that have scored the rows are not run again.

    Args:
        pack: its folder.
        source: below it lie the data.
        output: folder that gets the submission, and `answer.json` which says what is in it.
        limit: how long it may take; None: what the pack was planned for.
        age_s: seconds of that which have passed already.
        work: folder to work in; None: among the system's temporary ones.
        in_full: answer also public rows that the pack is to skip, and every row by every unit,
            settled or not.
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
    units = frozenset(unit for round_ in rounds for unit in round_.units)
    found = HandIn(output, len(rounds), units, pacing, show, submission_of(facts))
    place = work or Path(tempfile.gettempdir()) / "foldwise" / f"{facts['name']}-{facts['id']}"
    place.mkdir(parents=True, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    with locked(place / ".lock", doing=f"answering with {facts['name']}"):
        data = find_data(source, facts["marks"], place / "unpacked")
        home = open_home(pack, data, place / "competition")
        lay_out_runs(pack, home)
        test = list_test_rows(home)
        problem = open_problem(home)
        if not found.go_on(facts["id"], rows_print(test)):
            found.constant(problem)
        if facts["public"] == rows_print(test) and not in_full:
            found.skip("these are the rows it was packed with, which it is to skip")
            return found
        decode_test_rows(home, test, _inputs(problem, rounds), show)
        problem = open_problem(home)
        if len(problem.test):
            work_off(problem, rounds, facts["views"], found, settles=not in_full)
        else:
            found.say("no test image can be used")
    whole = "all that was planned is in it" if found.is_whole else "not all is in it, see above"
    show.say(f"{output / found.name}: {found.rounds} of {found.num_rounds} rounds; {whole}")
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


def _inputs(problem: Problem, rounds: Sequence[Round]) -> list[InputConfig]:
    """What the networks of all rounds are fed."""
    units = with_sources(problem, (unit for round_ in rounds for unit in round_.units))
    recipes = {unit.split("/")[0]: unit_of(problem, unit).recipe for unit in units}
    return [recipe.input for recipe in recipes.values() if not recipe.is_second_level]
