"""Proves a pack: installs and runs it as a stranger would, offline, and compares what it says."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise import device as machine
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.answering.handing_in import LOG, parts_of
from foldwise.stages.answering.rounds import Round
from foldwise.stages.display import Display
from foldwise.stages.packing.planning import SLOWER
from foldwise.stages.progress import duration
from foldwise.stages.proving.environment import make_environment
from foldwise.stages.proving.likeness import compared, scores_away
from foldwise.stages.proving.proof import Check, Proof
from foldwise.stages.proving.strange import (
    Ran,
    can_deny,
    lay_out_data,
    lock_up,
    other_user,
    run_there,
    tree_print,
)
from foldwise.stages.sessions.opening import read_pack, submission_of
from foldwise.stages.submitting.checks import check_submission
from foldwise.stages.submitting.content import checked_submission
from foldwise.tasks.problem import Problem, open_problem

#: How late a pack may be on a slower machine.
_LATE_SHARE, _LATE_S = 0.01, 5.0
#: A whole run may take so many times the forecast before it is given up.
_PATIENCE = 6.0
_END_S = 15.0


@dataclass(frozen=True)
class _Place:
    """Where a pack is proved."""

    pack: Path
    root: Path
    python: Path
    data: Path
    denies: bool
    user: int | None


def prove(home: Home, name: str, *, display: Display | None = None) -> Proof:
    """Install a pack into a fresh environment from its own wheels, run it, and compare.

    It runs under another root, with the test rows in another order and input that cannot be
    written, with sockets that raise and, where this machine permits, a network of its own with
    nothing in it and another user; then a second time, slowed, with less time than it needs. What
    was found is written into the pack.

    Args:
        home: the competition, whose test rows are answered.
        name: of the pack.
        display: where it is told.

    Raises:
        RunError: it is no pack that answers, or no environment can be made here.
    """
    show = display or Display()
    pack = home.packs / name
    facts = read_pack(pack, "answer")
    problem = open_problem(home)
    rounds = [Round.from_json(value) for value in facts["rounds"]]
    with tempfile.TemporaryDirectory(prefix="foldwise-proof-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        show.say("making a fresh environment")
        place = _placed(pack, root, problem)
        show.say("running the pack in it, offline")
        before = tree_print(place.data)
        patience = _PATIENCE * float(facts["seconds_here"]) + 300
        whole = _run(place, "whole", f"{patience:.0f}s", patience + 60)
        checks = [*_of_install(whole), *_of_network(place, whole)]
        checks += _of_machine(place, before)
        checks += _of_answer(problem, facts, rounds, place.root / "whole")
        if whole.code == 0 and _is_whole(place.root / "whole" / "out"):
            limit = _short_limit(place.root / "whole" / "out", whole)
            show.say(f"running it {SLOWER:g} times slower, with {duration(limit)}")
            slow = _run(place, "slow", f"{limit:.0f}s", 2 * limit + 60, slower=SLOWER)
            path = place.root / "slow" / "out" / submission_of(facts)
            checks += _of_slow(problem, slow, limit, path)
    found = Proof(
        tuple(checks),
        {
            "pack": facts["name"],
            "run": facts["run"],
            "foldwise": facts["foldwise"],
            "machine": machine.describe(),
            "test samples": len(problem.test),
            "seconds": round(whole.seconds, 1),
        },
    )
    found.write(pack)
    for check in found.checks:
        word = {True: "holds", False: "FAILS", None: "not tried"}[check.passed]
        (show.say if check.passed else show.warn)(f"{word}: {check.what}: {check.detail}")
    if whole.code:
        show.warn(whole.said[-3000:])
    show.say(f"{pack / 'proof.md'}")
    return found


def _placed(pack: Path, root: Path, problem: Problem) -> _Place:
    strange, data = root / "another" / "root", root / "mounted" / "somewhere" / "data"
    shutil.copytree(pack, strange / "a-pack")
    lay_out_data(problem, data)
    python = make_environment(root, strange / "a-pack" / "wheels")
    lock_up(strange)
    lock_up(data)
    user = other_user(python, data)
    return _Place(strange / "a-pack", root, python, data.parent.parent, can_deny(), user)


def _run(place: _Place, what: str, limit: str, kill_after: float, *, slower: float = 1.0) -> Ran:
    folder = place.root / what
    for path in (folder, folder / "out", folder / "work"):
        path.mkdir()
        path.chmod(0o777)
    command = [str(place.python), str(place.pack / "predict.py"), "--input", str(place.data)]
    command += ["--output", str(folder / "out"), "--work", str(folder / "work"), "--limit", limit]
    command += ["--in-full"]
    if what == "whole":  # The environment is written to once; after that anybody reads it.
        installed = run_there(
            [str(place.python), str(place.pack / "install.py"), "wheels"],
            folder, denies=place.denies, user=None, kill_after=600,
        )  # fmt: skip
        if installed.code:
            return installed
    return run_there(
        command, folder, denies=place.denies, user=place.user, slower=slower, kill_after=kill_after
    )


def _short_limit(out: Path, whole: Ran) -> float:
    """Seconds in which a slowed run does its first round, and half of the others."""
    first = float(read_json(out / LOG)["first_round_after_s"])
    return _END_S + SLOWER * (first + 0.5 * max(0.0, whole.seconds - first))


def _is_whole(out: Path) -> bool:
    log = read_json(out / LOG) or {}
    return bool(log.get("rounds")) and log["rounds"] == log["planned"]


def _of_install(ran: Ran) -> Iterator[Check]:
    said = ran.said.strip().splitlines()
    yield Check(
        "it installs from its own wheels and runs to its end",
        ran.code == 0,
        f"{duration(ran.seconds)}, exit code {ran.code}" + (f"; {said[-1]}" if said else ""),
    )


def _of_network(place: _Place, ran: Ran) -> Iterator[Check]:
    yield Check(
        "it asks for nothing of the network",
        not ran.denied,
        "; ".join(ran.denied) or "0 sockets, 0 names",
    )
    how = "a network of its own with nothing in it" if place.denies else "not permitted here"
    yield Check("it ran with no network at all", True if place.denies else None, how)


def _of_machine(place: _Place, before: str) -> Iterator[Check]:
    yield Check("its input is left as it was", tree_print(place.data) == before, "read-only")
    user = place.user
    why = "this one cannot become another that may read this Python"
    yield Check(
        "it ran as another user", None if user is None else True, why if user is None else str(user)
    )


def _of_answer(
    problem: Problem, facts: Mapping[str, Any], rounds: list[Round], folder: Path
) -> Iterator[Check]:
    what, path = "its submission is the run's own", folder / "out" / submission_of(facts)
    if not path.exists():
        yield Check(what, False, "there is none")
        return
    log = read_json(folder / "out" / LOG)
    if not _is_whole(folder / "out"):
        told = f"{log['rounds']} of {log['planned']} rounds are in it: {'; '.join(log['notes'])}"
        yield Check(what, False, told)
        return
    if facts["views"]:
        yield Check(what, None, "it was planned with fewer views than the run has")
        return
    there, units = Home(folder / "work" / "competition"), rounds[-1].node.every_unit
    wanted, theirs = (
        checked_submission(problem, parts_of(problem, rounds[-1], units, place), name="the run")[0]
        for place in (problem.home, there)
    )
    given = path.read_bytes()
    if given == wanted:
        yield Check(what, True, "byte for byte")
    elif given != theirs:
        yield Check(what, False, "its answers are not what its networks' scores give")
    else:
        own = folder / f"own{path.suffix}"
        own.write_bytes(wanted)
        yield compared(problem, own, path, scores_away(problem, there, units))


def _of_slow(problem: Problem, ran: Ran, limit: float, path: Path) -> Iterator[Check]:
    late = max(_LATE_S, _LATE_SHARE * limit)
    yield Check(
        f"{SLOWER:g} times slower, it ends within its limit",
        ran.seconds <= limit + late,
        f"{ran.seconds:.1f} s of {limit:.1f} s",
    )
    log: dict[str, Any] = read_json(path.with_name(LOG)) or {}
    if not path.exists():
        yield Check("slowed, it leaves a valid submission of networks", False, "there is none")
        return
    wrong = check_submission(problem.home, path)
    told = f"{log.get('rounds')} of {log.get('planned')} rounds are in it"
    holds = not wrong and bool(log.get("rounds"))
    yield Check("slowed, it leaves a valid submission of networks", holds, "; ".join(wrong) or told)
