"""Label cells: which are sound, what classes they name, and their columns as targets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.tables import Table, is_number, labels, number_hint, refuse, texts

#: Cells that say whether a label is there.
_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_WHOLE = re.compile(r"(-?[0-9]+)\.?0*|")
#: From this share on a column is taken for one of numbers (or flags), and the rest for mistakes.
_MOST = 0.9


def class_indices(table: Table, column: str, classes: Sequence[str]) -> np.ndarray:
    """A column of labels as positions in `classes`, (N,) int64; `3.0` stands for class `3`, too.

    Raises:
        DataError: cells that are no class, each once with its first line and the nearest class.
    """
    cells = labels(table, column)
    found, unknown = _positions(list(enumerate(cells)), classes)
    _refuse_unknown(table, column, unknown, classes)
    return np.array(found, dtype=np.int64)


def several_indices(
    table: Table, column: str, classes: Sequence[str], separator: str
) -> np.ndarray:
    """A column of cells with several labels each, (N, C) 0/1; an empty cell holds none.

    Raises:
        DataError: as `class_indices`.
    """
    target = np.zeros((len(table), len(classes)), dtype=np.int64)
    parts = [
        (row, label)
        for row, cell in enumerate(texts(table, column))
        for label in cell.split(separator)
        if label
    ]
    found, unknown = _positions(parts, classes)
    _refuse_unknown(table, column, unknown, classes)
    target[[row for row, _ in parts], found] = 1
    return target


def flags(table: Table, column: str) -> np.ndarray:
    """A column of 0 and 1 (or false and true), (N,) int64.

    Raises:
        DataError: all other cells.
    """
    cells = texts(table, column)
    refuse(table, column, np.array([not is_flag(cell) for cell in cells], dtype=bool), "0 or 1")
    return np.array([_FLAGS[cell.lower()] for cell in cells], dtype=np.int64)


def is_flag(cell: str) -> bool:
    """Whether the cell says that a label is there or not."""
    return cell.lower() in _FLAGS


def flag_rows(targets: Mapping[str, Sequence[str]]) -> np.ndarray | None:
    """(N, C) 0/1 where every cell of several columns is a flag; None: some is not, or none is."""
    columns = list(targets.values())
    if not any(columns) or not all(is_flag(cell) for column in columns for cell in column):
        return None
    return np.array([[_FLAGS[cell.lower()] for cell in row] for row in zip(*columns, strict=True)])


def sound_rows(targets: Mapping[str, Sequence[str]]) -> np.ndarray:
    """(N,) bool, the rows whose labels look right, for a task to recognise itself in.

    A few spoiled cells must not hide what the others say; they are refused by line when the
    target is read. Spoiled are empty cells, `NaN`, blanks around; where nearly all cells of a
    column are numbers, others with digits; where nearly all of several columns are 0 and 1,
    all others.
    """
    sound = np.ones(len(next(iter(targets.values()), ())), dtype=bool)
    for column in targets.values():
        is_there = np.array([_is_there(cell) for cell in column], dtype=bool)
        look = is_flag if len(targets) > 1 else is_number
        fits = np.array([look(cell) for cell in column], dtype=bool)
        sound &= is_there
        if fits.sum() >= _MOST * is_there.sum():
            sound &= np.array([len(targets) == 1 and not _is_spoiled(c) for c in column]) | fits
    return sound


def natural_order(names: Sequence[str]) -> tuple[str, ...]:
    """Distinct names, whole numbers by value and without their `.0`, other names by letter.

    >>> natural_order(["10", "9", "9"]), natural_order(["1.0", "0.0"])
    (('9', '10'), ('0', '1'))
    """
    distinct = set(names)
    if all(is_integer(name) for name in distinct):
        return tuple(sorted(map(whole, distinct), key=int)) if distinct else ()
    return tuple(sorted(distinct))


def is_integer(cell: str) -> bool:
    """Whether the cell is a whole number, as digits alone or with nothing but 0 after the point.

    >>> [is_integer(c) for c in ("12", "-1", "1.0", "1.5", "a", "")]
    [True, True, True, False, False, False]
    """
    return bool(cell and _WHOLE.fullmatch(cell))


def whole(cell: str) -> str:
    """A whole number without its point; other cells as they are.

    >>> [whole(c) for c in ("3.0", "007", "1.5", "a")]
    ['3', '007', '1.5', 'a']
    """
    found = _WHOLE.fullmatch(cell)
    return found[1] if found and found[1] else cell


def _is_there(cell: str) -> bool:
    return bool(cell) and cell == cell.strip() and cell.lower() != "nan"


def _is_spoiled(cell: str) -> bool:
    """Whether a cell among numbers is a number badly written, not several numbers or a word."""
    if number_hint(cell):
        return True
    has_digit = any(character.isdigit() for character in cell)
    return has_digit and not all(is_number(part) for part in re.split(r"[ |;,]", cell) if part)


def _positions(
    parts: Sequence[tuple[int, str]], classes: Sequence[str]
) -> tuple[list[int], dict[str, list[int]]]:
    """Positions of labels in `classes`, -1 for unknown ones; and the rows of these."""
    position = {name: index for index, name in enumerate(classes)}
    found, unknown = [], dict[str, list[int]]()
    for row, label in parts:
        index = position.get(label, position.get(whole(label), -1))
        found.append(index)
        if index < 0:
            unknown.setdefault(label, []).append(row)
    return found, unknown


def _refuse_unknown(
    table: Table, column: str, unknown: Mapping[str, Sequence[int]], classes: Sequence[str]
) -> None:
    if not unknown:
        return
    problems = []
    for label, rows in sorted(unknown.items(), key=lambda item: -len(item[1])):
        first = min(rows, key=lambda row: int(table.lines[row]))
        near = difflib.get_close_matches(label, classes, n=1)
        more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        hint = f"; did you mean {near[0]!r}?" if near else number_hint(label)
        problems.append(
            f"{table.at(first)}: column {column!r}: found {label!r}{more}, which is none of "
            f"the {len(classes)} classes{hint}"
        )
    raise DataError(
        *limited(problems), remedy="correct the cells, or `classes` in competition.yaml"
    )
