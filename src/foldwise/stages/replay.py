"""Makes a submission again from what the ledger keeps of it, and says what has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.publish import locked, publish_bytes
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.replaying.differences import differences
from foldwise.stages.replaying.drift import Drift, drifts
from foldwise.stages.replaying.place import (
    bring_units,
    clear,
    lacking_units,
    lay_out,
    other_units,
)
from foldwise.stages.replaying.rebuilding import needed_runs, rebuilt
from foldwise.stages.submitting.ledger import Entry, read_ledger
from foldwise.stages.submitting.provenance import Provenance, read_provenance
from foldwise.time_records import read_records


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Attributes:
        entry: the submission.
        drifts: what has changed since it was made.
        retrained: run → units that were trained again, or would be.
        is_same: whether the same bytes came out; None: it was a dry run.
        differences: lines on how the files differ.
        file: the rebuilt file, kept where it differs.
    """

    entry: Entry
    drifts: tuple[Drift, ...]
    retrained: Mapping[str, Sequence[str]]
    is_same: bool | None
    differences: tuple[str, ...] = ()
    file: Path | None = None


def replay(
    home: Home,
    which: str,
    *,
    from_scratch: bool = False,
    dry_run: bool = False,
    display: Display | None = None,
) -> Replayed:
    """Make a submission again and compare it with the ledger's, byte for byte.

    It is made in a folder of its own, `.foldwise/replays/`, from the recorded question, rows,
    folds, recipes and code. Units that are as they were are taken, others are trained again.
    Nothing of the competition changes but the cache. Killed and run again, it goes on.

    Args:
        home: the competition.
        which: number, folder or run (its last one) of the submission.
        from_scratch: train all units again.
        dry_run: say what has changed, what would be trained and how long it took.
        display: where it is said.

    Raises:
        RunError: there is no such submission, nothing is kept of it, or a unit cannot be trained
            again.
        DataError: what is kept is damaged, or scores from outside are gone.
    """
    show = display or Display()
    entry = _entry(home, which)
    made = read_provenance(entry.path)
    found = tuple(drifts(home, entry, made))
    _tell_drift(show, entry, found)
    place = home.replay(entry.path.name + "-from-scratch" * from_scratch)
    # What is taken over by a replay from scratch is what it trained before it was interrupted.
    source = place if from_scratch else home
    missing = _needed(made, lacking_units(source, made, place))
    _tell_cost(home, made, missing, show)
    if dry_run:
        return Replayed(entry, found, missing, None)
    place.path.mkdir(parents=True, exist_ok=True)
    with locked(place.path / ".lock", doing="replaying"):
        lay_out(home, made, place)
        bring_units(source, made, place)
        data = rebuilt(home, made, place, missing, show)
        others = other_units(made, place, missing)
        return _compared(place, Replayed(entry, found, missing, None), data, others, show)


def _entry(home: Home, which: str) -> Entry:
    entries = read_ledger(home)
    found = [
        entry
        for entry in entries
        if which == entry.path.name or (which.isdecimal() and int(which) == entry.facts["number"])
    ] or [entry for entry in entries if entry.facts["run"] == which]
    if not found:
        known = ", ".join(entry.path.name for entry in entries[-10:])
        raise RunError(
            f"no submission is number {which}, or of a run of that name",
            remedy=f"known: {known or 'none'}",
        )
    return found[-1]


def _needed(made: Provenance, lacking: dict[str, list[str]]) -> dict[str, list[str]]:
    needed = needed_runs(made, lacking)
    return {name: units for name, units in lacking.items() if name in needed}


def _tell_drift(show: Display, entry: Entry, found: Sequence[Drift]) -> None:
    if not found:
        show.say(f"{entry.path.name}: nothing has changed since it was made")
        return
    show.say(f"{entry.path.name}: changed since it was made:")
    for drift in found:
        show.say(f"  {drift}")


def _tell_cost(
    home: Home, made: Provenance, missing: Mapping[str, Sequence[str]], show: Display
) -> None:
    num_all = sum(len(made.runs[name].units) for name in needed_runs(made, missing))
    num = sum(map(len, missing.values()))
    if not num:
        show.say(f"all {num_all} units are there, as they were: nothing is trained")
        return
    names = {f"{run}/{unit}" for run, units in missing.items() for unit in units}
    records = [r for r in read_records(home.costs, damaged=[]) if r.name in names]
    known = {record.name for record in records}
    took = f"they took {duration(sum(r.seconds for r in records))}" if known else "no time is known"
    on = ", ".join(sorted({record.device for record in records}))
    rest = f", {len(names - known)} of them unknown" if known and names - known else ""
    show.say(
        f"to be trained again: {num} of {num_all} units ({', '.join(sorted(names))}); {took}"
        + (f" on {on}" if on else "")
        + rest
    )


def _compared(
    place: Home, done: Replayed, data: bytes, others: Sequence[str], show: Display
) -> Replayed:
    entry = done.entry
    if hashlib.sha256(data).hexdigest() == entry.sha256:
        clear(place)
        show.say(f"{entry.path.name}: made again, the same {len(data):,} bytes")
        return Replayed(entry, done.drifts, done.retrained, True)
    made = place.path / entry.file.name
    publish_bytes(made, data)
    lines = tuple(differences(entry.file, made))
    if others:
        lines += (f"trained again to other weights or scores: {', '.join(others)}",)
    show.warn(f"{entry.path.name}: made again, and another file came out: {made}")
    for line in lines:
        show.warn(f"  {line}")
    if not done.drifts:
        show.warn(
            "  nothing was found to have changed: its runs are not of the kind that gives the same "
            "bits twice, as on a GPU without deterministic kernels"
        )
    return Replayed(entry, done.drifts, done.retrained, False, lines, made)
