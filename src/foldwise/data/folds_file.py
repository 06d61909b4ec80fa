"""`folds.csv`: sample id and fold, sorted by id, and the hash that runs are compared by."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from foldwise.errors import DataError
from foldwise.publish import publish

_HEADER = ["id", "fold"]
_MAX_PROBLEMS = 20


def write_folds(path: Path, ids: Iterable[str], folds: Iterable[int]) -> None:
    """Publish ids and folds, sorted by id."""
    rows = _sorted(ids, folds)
    assert len({name for name, _ in rows}) == len(rows), "ids must be unique"
    # A lone carriage return ends a line for readers, yet the csv module leaves it unquoted.
    quote_all = any("\r" in name for name, _ in rows)

    def write(part: Path) -> None:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = (
                csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
                if quote_all
                else csv.writer(file, lineterminator="\n")
            )
            writer.writerow(_HEADER)
            writer.writerows(rows)

    publish(path, write)


def read_folds(path: Path) -> dict[str, int]:
    """The fold of each id.

    Raises:
        DataError: absent, not UTF-8, or wrong lines: other columns, an empty or repeated id, a
            fold that is no whole number from 0; names file and line, up to 20 of them.
    """
    folds: dict[str, int] = {}
    first_line: dict[str, int] = {}
    problems: list[str] = []
    for line, cells in _read_lines(path):
        if problem := _problem(cells, first_line):
            problems.append(f"{path}, line {line}: {problem}")
            continue
        first_line[cells[0]] = line
        folds[cells[0]] = int(cells[1])
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        raise DataError(
            *problems[:_MAX_PROBLEMS],
            *([f"and {more} more lines"] if more > 0 else []),
            remedy="mend the lines; or delete the file and run `foldwise split` (new folds!)",
        )
    return folds


def folds_hash(ids: Iterable[str], folds: Iterable[int]) -> str:
    """SHA-256 of the (id, fold) pairs in order of id; the same for any order of rows.

    >>> folds_hash(["b", "a"], [1, 0]) == folds_hash(["a", "b"], [0, 1])
    True
    """
    digest = hashlib.sha256()
    for name, fold in _sorted(ids, folds):
        data = name.encode()
        # The length first, so that no two different lists give the same bytes.
        digest.update(b"%d:%b=%d\n" % (len(data), data, fold))
    return digest.hexdigest()


def _sorted(ids: Iterable[str], folds: Iterable[int]) -> list[tuple[str, int]]:
    return sorted((str(name), int(fold)) for name, fold in zip(ids, folds, strict=True))


def _read_lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, cells) for cells in reader]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", remedy="run `foldwise split` first") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from None
    if not rows or rows[0][1] != _HEADER:
        found = ",".join(rows[0][1]) if rows else "an empty file"
        raise DataError(f"{path}, line 1: the columns must be id,fold; found {found}")
    return rows[1:]


def _problem(cells: list[str], first_line: dict[str, int]) -> str | None:
    if len(cells) != 2:
        return f"2 cells wanted, found {len(cells)}"
    name, fold = cells
    if not name:
        return "the id is empty"
    if name in first_line:
        return f"id {name!r} is there already, in line {first_line[name]}"
    if not re.fullmatch(r"[0-9]{1,9}", fold):
        return f"the fold of {name!r} must be a whole number from 0, found {fold!r}"
    return None
