"""What a file of scores adds to the ledger: new rows, scores filled in, and contradictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.stages.ledgering.row import Row
from foldwise.stages.ledgering.scores_file import Line

_CV_DETAILS = ("cv_how", "cv_low", "cv_high", "cv_naive")
_FILLED = ("uploaded", "comment", "commit")


@dataclass(frozen=True)
class Merged:
    """What a file changes.

    Attributes:
        changed: rows to be stored: new ones, and known ones with what the file adds.
        num_new: how many of them are new.
        num_same: lines that the ledger held already.
    """

    changed: list[Row]
    num_new: int
    num_same: int


def merge(rows: Sequence[Row], lines: Sequence[Line], *, replace_scores: bool) -> Merged:
    """Lay the lines of a file over the ledger; the same file again changes nothing.

    A line is about the submission whose folder it names; else about the next row of its run and
    time, and without a time about the next row of its run. If there is none it is a new one.

    Args:
        rows: the ledger, by number.
        lines: of one file, in order.
        replace_scores: whether a score that differs is replaced, or an error.

    Raises:
        DataError: scores that differ from those in the ledger, all with their lines.
    """
    now = list(rows)
    folders = {row.folder: place for place, row in enumerate(now) if row.folder is not None}
    waiting = _Waiting(now)
    taken = {row.number for row in now}
    touched: set[int] = set()
    num_same = 0
    problems: list[str] = []
    for line in lines:
        place = next((folders[name] for name in line.folder if name in folders), None)
        if place is None:
            place = waiting.next(line.row)
        if place is None:
            number = 0 if line.row.number in taken else line.row.number
            taken.add(number)
            touched.add(len(now))
            now.append(replace(line.row, number=number))
            continue
        found = filled(now[place], line.row)
        problems += [f"{line.at}: {text}" for text in contradictions(now[place], line.row)]
        if replace_scores:
            found = overwritten(found, line.row)
        num_same += found == now[place]
        if found != now[place]:
            touched.add(place)
            now[place] = found
    if problems and not replace_scores:
        raise DataError(
            *limited(problems),
            remedy="correct the file, or take its scores with --replace; nothing was imported",
        )
    changed = [now[place] for place in sorted(touched)]
    return Merged(changed, len(now) - len(rows), num_same)


def contradictions(row: Row, new: Row) -> list[str]:
    """The scores of `new` that differ from those known, in words."""
    return [
        f"{name} of {row.number or row.run} ({row.run}) is {getattr(row, name)!r} already, "
        f"found {getattr(new, name)!r}"
        for name in _differing(row, new)
    ]


def filled(row: Row, new: Row) -> Row:
    """The row with what was not known of it; what was known stays."""
    changes: dict[str, Any] = {
        name: getattr(new, name)
        for name in ("public", "private", *_FILLED)
        if getattr(row, name) in (None, "")
    }
    if row.cv is None and new.cv is not None:
        changes.update({name: getattr(new, name) for name in ("cv", *_CV_DETAILS)})
    if new.status is not None:  # Pending becomes complete.
        changes["status"] = new.status
    return replace(row, **changes)


def overwritten(row: Row, new: Row) -> Row:
    """The row with the scores of `new` where they differ."""
    names = _differing(row, new)
    changes = {name: getattr(new, name) for name in names}
    if "cv" in names:
        changes.update({name: getattr(new, name) for name in _CV_DETAILS})
    return replace(row, **changes)


def _differing(row: Row, new: Row) -> list[str]:
    pairs = [(name, getattr(row, name), getattr(new, name)) for name in ("cv", "public", "private")]
    return [name for name, old, found in pairs if None not in (old, found) and old != found]


class _Waiting:
    """The rows that no line was about yet, each run's in the order of their numbers."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._used: set[int] = set()
        self._places: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            self._places[row.run, row.time].append(place)
            if row.time is not None:
                self._places[row.run, None].append(place)

    def next(self, row: Row) -> int | None:
        """The place of the row that a line is about; it waits no more."""
        for place in self._places[row.run, row.time]:
            if place not in self._used:
                self._used.add(place)
                return place
        return None
