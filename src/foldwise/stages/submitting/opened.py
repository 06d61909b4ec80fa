"""A submission file opened as a table: what is wrong with its encoding, header and ids."""

from __future__ import annotations

import codecs
import csv
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from foldwise.csv_files import Cells, read_csv
from foldwise.errors import DataError
from foldwise.stages.submitting.cells import shown
from foldwise.tables import formula_cells

_MAX_PROBLEMS = 20
_MAX_ALIKE = 5
_MOST_MATCHED = 2000
_BOMS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_DELIMITERS = {";": "semicolons", "\t": "tabs", ",": "commas"}


def open_submission(path: Path) -> tuple[Opened | None, list[str]]:
    """The file as a table, None if it is none, and what is wrong with how it is written."""
    if path.suffix.lower() != ".csv":
        kind = path.suffix or "without ending"
        return None, [f"{path}: found a file of kind {kind}, wanted a .csv file"]
    problems = _encoding(path)
    try:
        cells = read_csv(path)
    except DataError as error:
        fix = f"; {error.remedy}" if error.remedy else ""
        return None, [*problems, *(f"{problem}{fix}" for problem in error.problems)]
    return Opened(path, cells), problems + _delimiter(path, cells)


@dataclass(frozen=True)
class Opened:
    """A file that could be read as a table.

    Attributes:
        path: the file.
        cells: as they stand.
    """

    path: Path
    cells: Cells

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of a column that the header has."""
        return self.cells.columns[self.cells.header.index(name)]

    def at(self, row: int) -> str:
        """Where a row (by position) stands."""
        return f"{self.path}:{self.cells.lines[row]}"


def header_problems(opened: Opened, header: Sequence[str]) -> list[str]:
    """Columns that are missing, not asked for or in another order than wanted."""
    path, cells = opened.path, opened.cells
    missing = [name for name in header if name not in cells.header]
    extra = [name for name in cells.header if name not in header]
    problems = []
    for name in missing:
        near = difflib.get_close_matches(name, extra, n=1, cutoff=0.5)
        if not near and len(missing) == len(extra) == 1:
            near = [*extra]
        hint = f"; rename {near[0]!r}" if near else ""
        extra = [other for other in extra if other not in near]
        problems.append(f"{path}:1: column {name!r} is missing{hint}")
    for name in extra:
        index = name.startswith("Unnamed") or name in ("index", "level_0")
        fix = "; write with index=False" if index else "; take it out"
        problems.append(f"{path}:1: column {name!r} is not asked for{fix}")
    if not problems and tuple(cells.header) != tuple(header):
        problems.append(
            f"{path}:1: columns are in another order: found {', '.join(cells.header)}, wanted "
            + ", ".join(header)
        )
    return problems


def id_problems(opened: Opened, found: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Rows whose ids are unknown, repeated, missing, formulas or in another order.

    Args:
        opened: the file.
        found: the id of each of its rows.
        ids: those wanted, in order.
    """
    wanted = dict.fromkeys(ids)
    first: dict[str, int] = {}
    unknown, repeated = [], []
    for row, cell in enumerate(found):
        if cell not in wanted:
            unknown.append(row)
        elif cell in first:
            repeated.append(row)
        first.setdefault(cell, row)
    formulas = {row for row, _, _ in formula_cells(pd.DataFrame({"id": list(found)}), known=ids)}
    hint = _IdHint(ids)
    problems = [
        *some(
            sorted(formulas),
            lambda row: (
                f"{opened.at(row)}: id {shown(found[row])} starts as a formula does, and no id "
                "of the sample submission does; a spreadsheet would run it: take it out"
            ),
        ),
        *some(
            [row for row in unknown if row not in formulas],
            lambda row: (
                f"{opened.at(row)}: id {shown(found[row])} is not asked for{hint(found[row])}"
            ),
        ),
        *some(
            repeated,
            lambda row: (
                f"{opened.at(row)}: id {found[row]!r} is there already in line "
                f"{opened.cells.lines[first[found[row]]]}; keep one row for each id"
            ),
        ),
    ]
    missing = [name for name in ids if name not in first]
    if missing:
        problems.append(
            f"{opened.path}: {len(missing)} of {len(ids)} ids are missing: "
            + ", ".join(missing[:_MAX_ALIKE])
            + (" ..." if len(missing) > _MAX_ALIKE else "")
            + "; every id of the sample submission needs a row"
        )
    if not problems and list(found) != list(ids):
        row = next(r for r, (a, b) in enumerate(zip(found, ids, strict=True)) if a != b)
        problems.append(
            f"{opened.at(row)}: ids are in another order: found {found[row]!r} where the sample "
            f"submission has {ids[row]!r}; sort the rows as there"
        )
    return problems


class _IdHint:
    """What an unknown id may have been: known ids by what programs do to them."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        self._by_change: dict[str, str] = {}

    def __call__(self, cell: str) -> str:
        if not self._by_change:
            for name in self._ids:
                for changed in _changes(name):
                    self._by_change.setdefault(changed, name)
        near = next((self._by_change[c] for c in _changes(cell) if c in self._by_change), None)
        if near is None:
            close = difflib.get_close_matches(cell[:100], self._ids[:_MOST_MATCHED], 1, 0.8)
            near = close[0] if close else None
        return f"; did you mean {near!r}?" if near is not None else ""


def _changes(name: str) -> list[str]:
    """Forms that ids take on when read as numbers, trimmed, or written with a file ending."""
    bare = name.strip().casefold()
    stem = bare.rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    return [bare, stem, stem.lstrip("0") or stem]


def some(rows: Sequence[int], problem: Callable[[int], str]) -> list[str]:
    """Five problems of a kind and the number of the others."""
    hidden = len(rows) - _MAX_ALIKE
    more = [f"... and {hidden} more like this"] if hidden > 0 else []
    return [*map(problem, rows[:_MAX_ALIKE]), *more]


def limited(problems: Sequence[str]) -> list[str]:
    """The first twenty problems and the number of the others."""
    hidden = len(problems) - _MAX_PROBLEMS
    return [*problems[:_MAX_PROBLEMS], *([f"... and {hidden} more"] if hidden > 0 else [])]


def _encoding(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            start = file.read(3)
    except OSError:
        return []  # The reader says it better.
    for mark, name in _BOMS.items():
        if start.startswith(mark):
            return [
                f"{path}:1: found a byte order mark of {name}, which many scorers read as part of "
                "the first column's name; save as UTF-8 without it"
            ]
    return []


def _delimiter(path: Path, cells: Cells) -> list[str]:
    if len(cells.header) < 2:
        return []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
    for delimiter, name in _DELIMITERS.items():
        found = next(csv.reader([first], delimiter=delimiter), [])
        if found == cells.header and delimiter != ",":
            return [f"{path}:1: found {name} between cells; write commas"]
    return []
