"""CSV files: read rightly or refused with the line, never as a shifted table; and written."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gc
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise.csv_quotes import late_quotes, locate_broken_quote, outside_quotes
from foldwise.errors import DataError
from foldwise.publish import publish_text

MAX_PROBLEMS = 10
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_NEEDS_QUOTES = re.compile('[",\r\n]|^\ufeff')
_HEADER_NEEDS_QUOTES = re.compile('[",;\t\r\n]|^\ufeff')

csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Cells:
    """What a CSV file holds: header, one tuple of N cells a column, (N,) int line of each row."""

    header: list[str]
    columns: list[tuple[str, ...]]
    lines: np.ndarray


def limited(problems: Sequence[str]) -> list[str]:
    """The first ten problems and the number of the others."""
    hidden = len(problems) - MAX_PROBLEMS
    return [*problems[:MAX_PROBLEMS], *([f"... and {hidden} more"] if hidden > 0 else [])]


def read_csv(path: Path) -> Cells:
    """The cells of a CSV file, exactly as they stand.

    UTF-8, or UTF-16 with its mark. The header says what stands between cells: the one of comma,
    semicolon and tab that it holds outside quotes (a `.tsv` file that holds tabs: the tab; none:
    one column); several are an error. Quotes as in RFC 4180. Blank lines at the end are ignored.

    Raises:
        DataError: not text, no header, rows of another length than the header, broken quotes.
    """
    text = _decoded(path)
    delimiter = _delimiter(path, text)
    with _no_collection():
        rows, lines = _rows(path, text, delimiter)
        header = _header(path, rows)
        _refuse_ragged(path, rows, lines, delimiter)
        _refuse_late_quotes(path, text, rows, lines, delimiter)
        columns = list(zip(*rows[1:], strict=True)) or [()] * len(header)
    return Cells(header, columns, np.asarray(lines[1:], dtype=np.int64))


def write_csv(path: Path, frame: pd.DataFrame, *, digits: int | None = None) -> None:
    """Publish the frame without its index: UTF-8, comma, LF, quotes only where needed.

    Args:
        path: the file.
        frame: text, numbers, truths; a missing value becomes an empty cell.
        digits: significant digits of floats; None: the fewest that read back as the same number.

    Raises:
        DataError: a column name is empty or there twice, a number is infinite, a cell holds NUL.
    """
    names = [str(name) for name in frame.columns]
    problems = name_problems(names)
    columns = [
        _written(frame.iloc[:, place], names[place], digits, problems)
        for place in range(len(names))
    ]
    if problems:
        raise DataError(*(f"{path}: cannot be written: {text}" for text in limited(problems)))
    header = ",".join(_quoted(name, _HEADER_NEEDS_QUOTES) for name in names)
    empty = '""' if len(names) == 1 else ""  # An empty line would be no row.
    rows = (",".join(cells) or empty for cells in zip(*columns, strict=True))
    publish_text(path, "\n".join([header, *rows]) + "\n")


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection inside: over a million row lists it takes half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: byte {error.start} (0x{data[error.start]:02x}) is not {encoding[:6]}",
            remedy="save the file as UTF-8; text from Windows is often in cp1252",
        ) from None
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise DataError(
            f"{path}:{line}: found a NUL character", remedy="save the file as text in UTF-8"
        )
    if not text.strip("\ufeff\r\n"):
        raise DataError(f"{path}: empty", remedy="the first line holds the names of the columns")
    return text


def _delimiter(path: Path, text: str) -> str:
    bare = outside_quotes(text)
    found = [delimiter for delimiter in _DELIMITERS if delimiter in bare]
    if path.suffix.lower() == ".tsv" and "\t" in found:
        return "\t"
    if len(found) > 1:
        names = " and ".join(_DELIMITERS[delimiter] for delimiter in found)
        raise DataError(
            f"{path}:1: the header holds {names}, so it is not clear what stands between cells",
            remedy="use commas, and put names that hold one of the others in quotes",
        )
    return found[0] if found else ","


def _rows(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """All records and the line each starts in; blank lines at the end are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    ends = [0]
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error as error:
        never_closes = "unexpected end" in str(error)
        raise _broken_quotes(path, text, delimiter, ends[-1] + 1, never_closes) from None
    while rows and not rows[-1]:
        rows.pop()
    return rows, [end + 1 for end in ends[: len(rows)]]


def _broken_quotes(
    path: Path, text: str, delimiter: str, start: int, never_closes: bool
) -> DataError:
    opened, found = locate_broken_quote(text, delimiter, start)
    remedy = 'a quote inside a quoted cell is written twice: "5"" disk"'
    if never_closes:
        return DataError(f"{path}:{opened}: a quote opens here and never closes", remedy=remedy)
    return DataError(
        f"{path}:{found}: found text after a closing quote; the cell opened in line {opened}",
        remedy=remedy,
    )


def _refuse_late_quotes(
    path: Path, text: str, rows: Sequence[Sequence[str]], lines: Sequence[int], delimiter: str
) -> None:
    late = late_quotes(text, rows, lines, delimiter) if '"' in text else []
    if late:
        problems = [f"{path}:{line}: found a quote after a blank" for line in late]
        raise DataError(*limited(problems), remedy="take out the blanks before quotes")


def _header(path: Path, rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows[0]:
        raise DataError(f"{path}:1: empty line, wanted the names of the columns")
    header = list(rows[0])
    problems = name_problems(header)
    if problems:
        raise DataError(
            *(f"{path}:1: header: {problem}" for problem in limited(problems)),
            remedy="give each column one name; pandas leaves out its index with index=False",
        )
    return header


def name_problems(names: Sequence[str]) -> list[str]:
    """What is wrong with the names of columns: none, empty, or there twice."""
    problems = []
    first: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if not name.strip("\ufeff \t\r\n"):
            problems.append(f"column {place} of {len(names)} has no name")
        elif name in first:
            problems.append(f"columns {first[name]} and {place} have the same name {name!r}")
        first.setdefault(name, place)
    return problems if names else ["no columns"]


def _refuse_ragged(
    path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int], delimiter: str
) -> None:
    wanted = len(rows[0])
    wrong = [place for place, length in enumerate(map(len, rows)) if length != wanted]
    if not wrong:
        return
    problems = [
        f"{path}:{lines[place]}: "
        + (f"found {_counted(len(rows[place]))}" if rows[place] else "found an empty line")
        + f", wanted {wanted} as in the header"
        for place in wrong
    ]
    raise DataError(
        *limited(problems),
        remedy=f"put cells that hold a {_DELIMITERS[delimiter]} or a line break in quotes",
    )


def _counted(num_cells: int) -> str:
    return "1 cell" if num_cells == 1 else f"{num_cells} cells"


def _written(series: pd.Series, name: str, digits: int | None, problems: list[str]) -> list[str]:
    values = series.astype(object).tolist()
    as_text = _float_text(digits)
    cells = []
    for value in values:
        if value is None or value is pd.NA or value != value:
            cells.append("")
        elif isinstance(value, (float, np.floating)):
            if math.isinf(value):
                problems.append(f"column {name!r}: found {value}, wanted a finite number")
            cells.append(as_text(float(value)))
        else:
            cell = str(value)
            if "\0" in cell:
                problems.append(f"column {name!r}: found a NUL character in {cell[:40]!r}")
            cells.append(_quoted(cell, _NEEDS_QUOTES))
    return cells


def _float_text(digits: int | None) -> Callable[[float], str]:
    return repr if digits is None else lambda value: f"{value:.{digits}g}"


def _quoted(cell: str, needs_quotes: re.Pattern[str]) -> str:
    return '"' + cell.replace('"', '""') + '"' if needs_quotes.search(cell) else cell
