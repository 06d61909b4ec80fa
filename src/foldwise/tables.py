"""Tables whose cells stay text, and their columns as ids, labels and numbers checked on the way."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise.csv_files import limited, name_problems, read_csv
from foldwise.csv_files import write_csv as write_csv
from foldwise.errors import DataError

_NUMBER = re.compile(r"[ \t]*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?[ \t]*")
_INTEGER = re.compile(r"[ \t]*[-+]?[0-9]{1,40}(\.0*)?[ \t]*")
_DECIMAL_COMMA = re.compile(r"[ \t]*[-+]?[0-9]*,[0-9]+([eE][-+]?[0-9]+)?[ \t]*")
_THOUSANDS = re.compile(r"[ \t]*[-+]?[0-9]{1,3}([,. '][0-9]{3})+([.,][0-9]+)?[ \t]*")
_MISSING = {"", "na", "n/a", "nan", "null", "none"}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
_PARQUET = (".parquet", ".pq")
_SUFFIXES = (".csv", ".tsv", ".txt", *_PARQUET)


@dataclass(frozen=True)
class Table:
    """A table file.

    Attributes:
        path: the file.
        frame: N rows, every cell a str exactly as in the file, "" where it is empty.
        lines: (N,) int64, line in which each row starts, from 1; Parquet: row, from 1; a folder
            of images: number of the file, from 1.
    """

    path: Path
    frame: pd.DataFrame
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def unit(self) -> str:
        """What `lines` counts."""
        suffix = self.path.suffix.lower()
        return "row" if suffix in _PARQUET else "line" if suffix in _SUFFIXES else "file"

    def at(self, row: int) -> str:
        """Where a row (by position) stands: `train.csv:12`, `train.parquet: row 11`."""
        between = ":" if self.unit == "line" else f": {self.unit} "
        return f"{self.path}{between}{self.lines[row]}"


def read_table(path: Path) -> Table:
    """A CSV or Parquet file as text cells; ids such as `007` stay as they are.

    Parquet: integers without a point, floats with the fewest digits that read back, null and NaN
    as empty cells, times in ISO form. CSV: see `foldwise.csv_files.read_csv`.

    Raises:
        DataError: absent, of another kind, or not a right table; with line, found and wanted.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        files = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, files, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DataError(f"{path}: no such file{hint}")
    if suffix not in _SUFFIXES:
        raise DataError(
            f"{path}: found a file of kind {suffix or 'without ending'}, wanted a table",
            remedy=f"tables are {', '.join(_SUFFIXES)}; unpack archives first",
        )
    if suffix in _PARQUET:
        return _read_parquet(path)
    cells = read_csv(path)
    return Table(path, _text_frame(cells.header, cells.columns), cells.lines)


def texts(table: Table, column: str) -> np.ndarray:
    """The column's cells as they are, (N,) object of str.

    Raises:
        DataError: no such column; the nearest name is suggested.
    """
    if column in table.frame.columns:
        return table.frame[column].to_numpy(dtype=object)
    names = list(table.frame.columns)
    near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"{table.path}: no column {column!r}{hint}", remedy=f"it has {', '.join(map(repr, names))}"
    )


def ids(table: Table, column: str) -> np.ndarray:
    """The column as ids, (N,) object of str: unique, not empty, no blanks around, on one line.

    Blanks are refused because ` 7` and `7` would be two samples here and one elsewhere.

    Raises:
        DataError: all wrong ids, each duplicate with the line of the first.
    """
    cells = _one_line_texts(table, column, "an id")
    repeats = pd.Series(cells, dtype=object).duplicated().to_numpy()
    if repeats.any():
        first: dict[str, int] = {}
        for row, cell in enumerate(cells):
            first.setdefault(cell, row)
        problems = [
            f"{table.at(row)}: column {column!r}: id {_short(cells[row])} is there already in "
            f"{table.unit} {table.lines[first[cells[row]]]}"
            for row in np.flatnonzero(repeats).tolist()
        ]
        raise DataError(*limited(problems), remedy="keep one row for each id")
    return cells


def labels(table: Table, column: str) -> np.ndarray:
    """The column as labels, (N,) object of str: not empty, no blanks around, on one line.

    `NaN` is what programs write for a label they do not have, so it is refused like none.

    Raises:
        DataError: all wrong cells.
    """
    cells = _one_line_texts(table, column, "a label")
    is_nan = np.fromiter((cell.lower() == "nan" for cell in cells), bool, len(cells))
    refuse(table, column, is_nan, "a label")
    return cells


def is_number(cell: str) -> bool:
    """Whether `floats` takes the cell: a finite number in ASCII digits with a decimal point.

    >>> [is_number(cell) for cell in ("1.5", "-2e3", "1,5", "1_000", "nan", "")]
    [True, True, False, False, False, False]
    """
    return bool(_NUMBER.fullmatch(cell)) and math.isfinite(float(cell))


def number_hint(cell: str) -> str:
    """How to write a cell that was meant as a number; "" where that is not plain."""
    if _DECIMAL_COMMA.fullmatch(cell):
        return "; write the decimal comma as a point"
    return "; write it without signs between thousands" if _THOUSANDS.fullmatch(cell) else ""


def floats(table: Table, column: str, *, allow_missing: bool = False) -> np.ndarray:
    """The column as numbers, (N,) float64, finite.

    Args:
        table: the table.
        column: its name.
        allow_missing: whether empty cells, NA, NaN, null and none become NaN, or are refused.

    Raises:
        DataError: all cells that are no number; `1,5` with a hint on its comma.
    """
    cells = texts(table, column)
    is_number = np.fromiter((bool(_NUMBER.fullmatch(cell)) for cell in cells), bool, len(cells))
    values = np.where(is_number, cells, "nan").astype(np.float64)
    wrong = ~np.isfinite(values)
    if allow_missing:
        wrong &= ~is_missing(cells)
    refuse(table, column, wrong, "a finite number", number_hint)
    return values


def integers(table: Table, column: str) -> np.ndarray:
    """The column as whole numbers, (N,) int64; `3.0` is 3, `3.5` is refused.

    Raises:
        DataError: all cells that are no whole number, or beyond 64 bits.
    """
    cells = texts(table, column)
    values = np.zeros(len(cells), dtype=np.int64)
    wrong = np.zeros(len(cells), dtype=bool)
    for row, cell in enumerate(cells):
        value = int(cell.partition(".")[0]) if _INTEGER.fullmatch(cell) else 2**63
        wrong[row] = not -(2**63) <= value < 2**63
        values[row] = 0 if wrong[row] else value
    refuse(table, column, wrong, "a whole number", number_hint)
    return values


def refuse(
    table: Table,
    column: str,
    wrong: np.ndarray,
    wanted: str,
    hint: Callable[[str], str] = lambda cell: "",
) -> None:
    """Name the cells of a column that are wrong, by file and line; none: nothing happens.

    Args:
        table: the table.
        column: its name.
        wrong: (N,) bool.
        wanted: what would do, in words.
        hint: cell → a clause that says more.

    Raises:
        DataError: there are wrong cells.
    """
    cells = table.frame[column].to_numpy(dtype=object)
    problems = [
        f"{table.at(row)}: column {column!r}: found "
        f"{_short(cells[row]) if cells[row] else 'an empty cell'}, wanted {wanted}"
        f"{hint(cells[row])}"
        for row in sorted(np.flatnonzero(wrong).tolist(), key=lambda row: int(table.lines[row]))
    ]
    if problems:
        raise DataError(*limited(problems))


def formula_cells(
    frame: pd.DataFrame, *, known: Collection[str] = ()
) -> list[tuple[int, str, str]]:
    """Text cells that a spreadsheet would run: they start with = + - @, tab, CR or NUL.

    Args:
        frame: the table, or its id column alone.
        known: cells that the organiser's own files hold; these are let pass, as numbers are.

    Returns:
        Row position, column and cell of each.

    Source: CWE-1236; OWASP Application Security Verification Standard, "formula injection".
    """
    allowed = set(known)
    return [
        (row, str(column), cell)
        for place, column in enumerate(frame.columns)
        for row, cell in enumerate(frame.iloc[:, place])
        if isinstance(cell, str)
        and cell.startswith(_FORMULA_STARTS)
        and cell not in allowed
        and not _NUMBER.fullmatch(cell)
    ]


def _one_line_texts(table: Table, column: str, wanted: str) -> np.ndarray:
    cells = texts(table, column)
    wrong = np.fromiter(
        (not cell or cell != cell.strip() or not _is_one_line(cell) for cell in cells),
        bool,
        len(cells),
    )
    refuse(table, column, wrong, f"{wanted} without blanks around it")
    return cells


def _is_one_line(cell: str) -> bool:
    return cell.isprintable() or not re.search("[\0-\x1f\x7f-\x9f\u2028\u2029]", cell)


def is_missing(cells: np.ndarray) -> np.ndarray:
    """(N,) bool, cells that say there is no value: empty, NA, NaN, null and none."""
    return np.fromiter((cell.strip().lower() in _MISSING for cell in cells), bool, len(cells))


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else cell[:57] + "...")


def _text_frame(names: Sequence[str], columns: Sequence[Sequence[str]]) -> pd.DataFrame:
    data: dict[str, np.ndarray] = {}
    for name, cells in zip(names, columns, strict=True):
        data[name] = np.empty(len(cells), dtype=object)
        data[name][:] = cells
    return pd.DataFrame(data, columns=pd.Index(list(names), dtype=object))


def _read_parquet(path: Path) -> Table:
    try:
        with pq.ParquetFile(path) as file:  # `read_table` would add columns from `a=1` in the path.
            table = file.read()
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: not a readable Parquet file: {reason}") from None
    names = [str(name) for name in table.column_names]
    problems = [f"{path}: {problem}" for problem in name_problems(names)]
    columns = [
        _parquet_texts(table.column(place), name, path, problems)
        for place, name in enumerate(names)
    ]
    if problems:
        raise DataError(*limited(problems))
    return Table(path, _text_frame(names, columns), np.arange(1, len(table) + 1))


def _parquet_texts(column: Any, name: str, path: Path, problems: list[str]) -> list[str]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        problems.append(f"{path}: column {name!r} holds {kind}, wanted text or numbers")
        return []
    if pa.types.is_floating(kind):
        values = column.cast(kind).to_numpy(zero_copy_only=False)
        return ["" if value == "nan" else value for value in values.astype(str).tolist()]
    return ["" if value is None else _cell(value) for value in column.to_pylist()]


def _cell(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
