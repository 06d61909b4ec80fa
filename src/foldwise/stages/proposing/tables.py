"""Which table is train, which is test and which shows the submission, by name and by content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldwise.errors import ConfigError, DataError
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.said import NONE, Said, near
from foldwise.tables import Table, read_table

_ENDINGS = (".csv", ".tsv", ".parquet", ".pq")
#: A subfolder with more tables than this holds one per image, not one per split.
_MOST_IN_SUBFOLDER = 20
_NAMES = {
    "sample": re.compile(r"sample|submission|submit"),
    "test": re.compile(r"test"),
    "train": re.compile(r"train|label"),
}
_NOTHING = Said()
_EXACT = {"sample": ("sample_submission", "submission"), "test": ("test",), "train": ("train",)}


@dataclass(frozen=True)
class FoundTables:
    """The tables of a raw folder.

    Attributes:
        train: rows with labels; None: there may be a folder per class.
        test: rows to be answered; the sample submission itself where it alone lists them.
        sample: the organiser's example of a submission.
        notes: what was taken for what, and why.
        seen: every table with its rows and columns, for messages.
    """

    train: Table | None
    test: Table | None
    sample: Table | None
    notes: tuple[Note, ...]
    seen: tuple[str, ...]


def find_tables(data: Path, said: Said = _NOTHING) -> FoundTables:
    """Look for tables in a folder and one level below.

    Raises:
        ConfigError: a flag names a table that is not there.
        DataError: a table that bears the name of a split cannot be read.
    """
    tables, notes = _read(data)
    flags = {"--train": said.train, "--test": said.test, "--sample": said.sample}
    taken = {flag: _named(tables, data, flag, name) for flag, name in flags.items() if name}
    rest = [table for table in tables if not any(table is one for one in taken.values())]
    sample, why_sample = _taken(taken, "--sample") or _find_sample(rest)
    rest = [table for table in rest if table is not sample]
    test, why_test = _taken(taken, "--test") or _find_test(rest, sample)
    rest = [table for table in rest if table is not test]
    train, why_train = _taken(taken, "--train") or _find_train(rest, sample)
    if train is not None:
        notes.append(Note("train table", _name(train, data), why_train))
    if test is None and said.test is None and sample is not None and train is not None:
        test, why_test = sample, "no test table: its ids are the test rows"
    if test is not None:
        notes.append(Note("test table", _name(test, data), why_test))
    if sample is not None:
        notes.append(Note("sample submission", _name(sample, data), why_sample))
    left = [_name(table, data) for table in rest if table is not train]
    if left:
        notes.append(Note("other tables", ", ".join(left), "not used"))
    return FoundTables(train, test, sample, tuple(notes), tuple(_describe(t, data) for t in tables))


def _named(tables: Sequence[Table], data: Path, flag: str, name: str) -> Table | None:
    """The table that a flag names; None: it says that there is none."""
    names = [_name(table, data) for table in tables]
    if name == NONE and flag != "--train":
        return None
    if name not in names:
        raise ConfigError(
            f"{flag} {name}: no such table in {data}{near(name, names)}",
            remedy=f"tables seen: {', '.join(names) or 'none'}",
        )
    return tables[names.index(name)]


def _taken(taken: Mapping[str, Table | None], flag: str) -> tuple[Table | None, str] | None:
    """What a flag says, as the guesses are; None: it says nothing."""
    return (taken[flag], "as you said") if flag in taken else None


def _read(data: Path) -> tuple[list[Table], list[Note]]:
    tables, notes = [], []
    for path in _paths(data):
        try:
            tables.append(read_table(path))
        except DataError as error:
            if any(pattern.search(path.stem.lower()) for pattern in _NAMES.values()):
                raise
            name = path.relative_to(data).as_posix()
            notes.append(Note("other tables", name, f"left aside: {error.problems[0]}"))
    return [table for table in tables if len(table)], notes


def _paths(data: Path) -> list[Path]:
    found = _tables_in(data)
    for folder in sorted(data.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            inside = _tables_in(folder)
            found += inside if len(inside) <= _MOST_IN_SUBFOLDER else []
    return found


def _tables_in(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _ENDINGS and path.is_file() and not path.name.startswith(".")
    ]


def _find_sample(tables: Sequence[Table]) -> tuple[Table | None, str]:
    named = _by_name(tables, "sample")
    if named:
        return named[0], "by its name"
    for table in tables:
        for other in tables:
            if other is not table and _answers(table, other):
                return table, f"has the ids of {other.path.name} and the same value in every row"
    return None, ""


def _answers(table: Table, other: Table) -> bool:
    """Whether the table may be an example of answers for the rows of the other one."""
    names = list(table.frame.columns)
    asked = [name for name in names[1:] if name not in other.frame.columns]
    if not asked or names[0] not in other.frame.columns:
        return False
    if any(table.frame[name].nunique() > 1 for name in asked):
        return False
    return set(table.frame[names[0]]) == set(other.frame[names[0]])


def _find_test(tables: Sequence[Table], sample: Table | None) -> tuple[Table | None, str]:
    named = _by_name(tables, "test")
    if sample is not None:
        first = str(sample.frame.columns[0])
        asked = set(sample.frame[first])
        same = [t for t in tables if first in t.frame.columns and set(t.frame[first]) == asked]
        for table in named:
            if table in same:
                return table, "by its name; its ids are those of the sample submission"
        if same and not named:
            return same[0], "its ids are those of the sample submission"
    return (named[0], "by its name") if named else (None, "")


def _find_train(tables: Sequence[Table], sample: Table | None) -> tuple[Table | None, str]:
    named = _by_name(tables, "train")
    asked = set() if sample is None else set(sample.frame.columns[1:])
    holding = [table for table in tables if asked and asked <= set(table.frame.columns)]
    for table in named:
        if table in holding:
            return table, "by its name; it has what the sample submission asks for"
    if named:
        return named[0], "by its name"
    if holding:
        return holding[0], "it has what the sample submission asks for"
    return (tables[0], "the only table left") if len(tables) == 1 else (None, "")


def _by_name(tables: Sequence[Table], role: str) -> list[Table]:
    """Tables whose name says the role (and none that comes before it), the plainest first."""
    found = [table for table in tables if _role(table) == role]
    return sorted(found, key=lambda t: (t.path.stem.lower() not in _EXACT[role], len(t.path.parts)))


def _role(table: Table) -> str | None:
    stem = table.path.stem.lower()
    return next((role for role, pattern in _NAMES.items() if pattern.search(stem)), None)


def _name(table: Table, data: Path) -> str:
    return table.path.relative_to(data).as_posix()


def _describe(table: Table, data: Path) -> str:
    columns = [str(column) for column in table.frame.columns]
    return f"{_name(table, data)}: {len(table)} rows, columns {', '.join(columns)}"
