"""Writes a run's submission, checks it, keeps the ledger, and alone replaces `submission.csv`."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise import __version__
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import locked, publish_bytes, publish_json, sweep
from foldwise.rundir import RunDir
from foldwise.stages.commit import commit_of
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate, score_line
from foldwise.stages.ledgering.rows import last_number, save_rows
from foldwise.stages.recipes import load_plan
from foldwise.stages.scheduling.deadline_clock import say_clock
from foldwise.stages.scoring.held_out import file_hash, run_label
from foldwise.stages.submitting.checks import check_submission as check_submission
from foldwise.stages.submitting.content import submission_bytes
from foldwise.stages.submitting.file import DIGITS
from foldwise.stages.submitting.founding import Founding, best_run, founding, is_better
from foldwise.stages.submitting.ledger import MADE_OF, Entry, add_entry, read_ledger
from foldwise.stages.submitting.masks import submission_ending
from foldwise.stages.submitting.provenance import keep_provenance
from foldwise.tasks.presence import target_of
from foldwise.tasks.problem import Problem, open_problem

_STAMP = "submission"


@dataclass(frozen=True)
class Submitted:
    """What `submit` did.

    Attributes:
        entry: the ledger's entry, new or the one that holds the same already.
        is_new: whether it was written now.
        is_current: whether `submission.csv` (or `.zip`) is this entry's file now.
        reason: why it is, or why it is not.
        notes: what was done beyond copying scores or answers.
    """

    entry: Entry
    is_new: bool
    is_current: bool
    reason: str
    notes: tuple[str, ...]


def submit(
    home: Home,
    run_name: str | None = None,
    *,
    problem: Problem | None = None,
    display: Display | None = None,
) -> Submitted:
    """Write a run's submission into the ledger; copy it to `submission.csv` if better founded.

    Header, order of columns and order of rows are the sample submission's; scores have six
    significant digits. The file is checked before it gets its name. The same content as the
    run's last entry makes no new one.

    Args:
        home: the competition.
        run_name: the run; None: the one that the plan names, once it has scores; else, and for
            `best`: see `founding.best_run`.
        problem: if it is already open.
        display: where messages go.

    Raises:
        RunError: no such run, no run at all, one that answers something else, or ids without a
            prediction.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    name = _planned(home) if run_name is None else run_name
    if name == "best":
        name = best_run(home, problem=problem)
    run = home.run(name)
    problem.check_handed_in(name, run.read_record())
    scores = evaluate(home, name, problem=problem, display=show)
    name = run_label(home, run)
    data, notes = submission_bytes(problem, run, name)
    with locked(home.submissions / ".lock", doing="submitting", wait_s=600):
        sweep(home.stamp(_STAMP).parent)  # Killed while remembering, nothing is written there now.
        facts = _facts(problem, run, scores, data, notes)
        entry, is_new = _entered(problem, name, data, facts, show)
        is_current, reason = _place(problem, entry, data, scores)
    done = Submitted(entry, is_new, is_current, reason, notes)
    _tell(show, home, done, scores)
    say_clock(problem.competition, show)
    return done


def _planned(home: Home) -> str:
    """The plan's choice, or `best` as long as that run has no scores."""
    choice = load_plan(home).submit if home.plan.exists() else "best"
    run = home.run(choice)
    return choice if run.oof.exists() and target_of(run.read_record()) is None else "best"


def _facts(
    problem: Problem, run: RunDir, scores: dict[str, Any], data: bytes, notes: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "run": scores["run"],
        "kind": scores["kind"],
        "metric": scores["metric"]["name"],
        "higher_is_better": scores["metric"]["higher_is_better"],
        "score": scores["score"],
        "interval": scores["interval"],
        "how": scores["how"],
        "undecided": scores["undecided"],
        "founding": founding(problem, scores["run"], scores).to_json(),
        "gives": problem.competition.submission.gives,
        "digits": DIGITS,
        "decision": read_json(run.decision),
        "notes": list(notes),
        "submission_sha256": hashlib.sha256(data).hexdigest(),
        "oof_sha256": file_hash(run.oof),
        "test_sha256": file_hash(run.test),
        "competition": scores["inputs"]["competition"],
        "folds": scores["inputs"]["folds"],
        "run_commit": run.read_record().get("commit"),
        "commit": commit_of(problem.home.path),
        "foldwise": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _entered(
    problem: Problem, name: str, data: bytes, facts: dict[str, Any], show: Display
) -> tuple[Entry, bool]:
    """The run's last entry if it holds the same, else a new one."""
    home = problem.home
    own = [entry for entry in read_ledger(home) if entry.facts["run"] == name]
    if own and own[-1].sha256 == facts["submission_sha256"] == file_hash(own[-1].file):
        _amend(problem, own[-1], facts)
        return own[-1], False
    made_of = keep_provenance(problem, name).to_json()
    taken = 0
    with contextlib.suppress(FoldwiseError):  # What is wrong with the store is said below.
        taken = last_number(home)
    ending = submission_ending(problem.competition)
    entry = add_entry(home, data, facts, made_of, ending=ending, after=taken)
    try:
        save_rows(home)
    except FoldwiseError as error:  # The folder is enough to hand in, and to store the row later.
        show.warn(f"{entry.path.name} is not stored in the ledger yet: {error}")
    return entry, True


def _amend(problem: Problem, entry: Entry, facts: dict[str, Any]) -> None:
    """Keep what an entry of an older foldwise was made of, as long as that is still there."""
    is_same = all(entry.facts[key] == facts[key] for key in ("oof_sha256", "test_sha256"))
    if is_same and not (entry.path / MADE_OF).exists():
        publish_json(entry.path / MADE_OF, keep_provenance(problem, facts["run"]).to_json())


def _place(problem: Problem, entry: Entry, data: bytes, scores: dict[str, Any]) -> tuple[bool, str]:
    """Copy the entry to the competition's folder if it is better founded than what is there."""
    home = problem.home
    current = file_hash(home.submission)
    old = None if current is None else _standing(home, current)
    if current == entry.sha256 and old is not None:
        # Two runs may give the same file; it rests on the better founded of them.
        if is_better(founding(problem, scores["run"], scores), _founding_of(problem, old))[0]:
            _remember(home, entry, scores)
        return True, f"{home.submission.name} is this file already"
    is_placed, reason = _compared(problem, entry, scores, old, is_there=current is not None)
    if is_placed:
        _put(home, entry, data)
        _remember(home, entry, scores)
    return is_placed, reason


def _standing(home: Home, current: str) -> Entry | None:
    """The entry that `submission.csv` is a copy of; None: nobody here wrote it."""
    remembered = (read_json(home.stamp(_STAMP)) or {}).get("entry")
    same = [entry for entry in read_ledger(home) if entry.sha256 == current]
    return next((e for e in same if e.path.name == remembered), same[-1] if same else None)


def _compared(
    problem: Problem, entry: Entry, scores: dict[str, Any], old: Entry | None, *, is_there: bool
) -> tuple[bool, str]:
    home = problem.home
    if not is_there:
        return True, f"there was no {entry.file.name}"
    if old is None:
        there = home.submission.name
        aside = _set_aside(home)
        return True, f"{there} was not written by foldwise; it is kept as {aside.name}"
    name = old.facts["run"]
    if check_submission(home, home.submission):
        return True, f"{home.submission.name} of {name} is not valid any more"
    if all(old.facts[key] == entry.facts[key] for key in ("run", "oof_sha256")):
        return True, "the same run, whose test scores or form have changed"
    standing = _founding_of(problem, old)
    if standing.held is None and old.facts["competition"] != scores["inputs"]["competition"]:
        return True, f"competition.yaml and {name} have changed since it was submitted"
    is_placed, reason = is_better(founding(problem, scores["run"], scores), standing)
    against = "better founded than" if is_placed else "not better founded than"
    return is_placed, f"{against} {name}: {reason}"


def _founding_of(problem: Problem, old: Entry) -> Founding:
    """What the submitted file rests on: the run as it stands if unchanged, else the record."""
    name = old.facts["run"]
    run = problem.home.run(name)
    scores = read_json(run.scores)
    is_unchanged = (
        scores is not None
        and file_hash(run.oof) == old.facts["oof_sha256"]
        and scores["inputs"]["folds"] == problem.folds_hash
    )
    if is_unchanged:
        return founding(problem, name, scores)
    return Founding(**old.facts["founding"], held=None)


def _put(home: Home, entry: Entry, data: bytes) -> None:
    """The copy, and no other beside it of another form."""
    place = home.path / entry.file.name
    publish_bytes(place, data)
    for other in {home.path / "submission.csv", home.path / "submission.zip"} - {place}:
        other.unlink(missing_ok=True)


def _set_aside(home: Home) -> Path:
    place, number = home.submission, 1
    while (aside := home.path / f"submission-yours-{number}{place.suffix}").exists():
        number += 1
    place.rename(aside)
    return aside


def _remember(home: Home, entry: Entry, scores: dict[str, Any]) -> None:
    home.set_fresh(
        _STAMP,
        {
            "entry": entry.path.name,
            "run": entry.facts["run"],
            "sha256": entry.sha256,
            "metric": scores["metric"]["name"],
            "score": scores["score"],
            "how": scores["how"]["got"],
            "present_folds": scores["present_folds"],
            "missing_folds": scores["missing_folds"],
        },
    )


def _tell(show: Display, home: Home, done: Submitted, scores: dict[str, Any]) -> None:
    place = done.entry.path.relative_to(home.path)
    kept = "" if done.is_new else ", which held the same already"
    show.say(f"submission {place}{kept}: {score_line(scores)}")
    for note in done.notes:
        show.warn(note)
    verb = "is" if done.is_current else "stays as it was, not"
    show.say(f"{home.submission.name} {verb} this file: {done.reason}")
