"""Files of submissions' scores: the ledger's own, Kaggle's, and tables with plain headers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.metrics import Metric
from foldwise.stages.ledgering.moments import moment
from foldwise.stages.ledgering.row import Row, one_line
from foldwise.tables import Table, floats, integers, is_number, read_table, refuse, texts, write_csv

#: What a column holds → headers it goes by, without case, blanks and signs.
_HEADERS = {
    "number": ("number", "no"),
    "time": ("time", "date", "datetime", "timestamp", "submitted", "submittedat"),
    "file": ("filename", "file"),
    "run": ("run", "runname", "name", "model", "submission", "experiment"),
    "cv": ("cv", "oof", "cvscore", "oofscore", "localcv", "cvlocal", "localscore"),
    "cv_how": ("cvhow",),
    "cv_low": ("cvlow",),
    "cv_high": ("cvhigh",),
    "cv_naive": ("cvnaive",),
    "public": ("public", "publicscore", "lb", "lbscore", "leaderboard", "publiclb", "lbpublic"),
    "private": ("private", "privatescore", "privatelb", "lbprivate", "privateleaderboard"),
    "uploaded": ("uploaded",),
    "status": ("status",),
    "comment": ("comment", "comments", "description", "note", "notes", "message"),
    "metric": ("metric",),
    "commit": ("commit",),
    "folder": ("folder",),
    "source": ("source",),
}
_EXPORTED = (
    *("number", "time", "run", "cv", "cv_how", "cv_low", "cv_high", "cv_naive", "public"),
    *("private", "uploaded", "status", "comment", "metric", "commit", "folder", "source"),
)
_SCORES = ("cv", "public", "private")
_ENDS = ("cv_low", "cv_high", "cv_naive")
_TIMES = ("time", "uploaded")
_FORMULA = ("=", "+", "-", "@")
_PACKED = re.compile(r"(\.csv|\.parquet|\.zip|\.gz)+$", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """A line of a file of scores.

    Attributes:
        at: file and line, for messages.
        row: what it says; number 0 if it gives none.
        folder: name of the submission's folder here that it may be about: the file's name, or
            the first word of its description.
    """

    at: str
    row: Row
    folder: tuple[str, ...]


def write_scores(path: Path, rows: Sequence[Row]) -> None:
    """Publish the rows as CSV, scores with all digits; `read_scores` gives them back.

    Text that a spreadsheet would run as a formula has an apostrophe before it.

    Raises:
        DataError: the file cannot be written so, or something else is there by that name.
    """
    if path.exists() and not _is_export(path):
        raise DataError(
            f"{path}: found something that is no export of the ledger, and it is not overwritten",
            remedy="give --csv another name, or move it away",
        )
    cells = [[_shown(getattr(row, name)) for name in _EXPORTED] for row in rows]
    write_csv(path, pd.DataFrame(cells, columns=pd.Index(_EXPORTED), dtype=object))


def read_scores(path: Path, metric: Metric, name: str) -> tuple[list[Line], list[str]]:
    """The lines of a file of scores, all checked.

    Args:
        path: CSV or Parquet; Kaggle's has fileName, date, description, status, publicScore and
            privateScore, the ledger's own the columns of `write_scores`.
        metric: what scores must lie in the range of.
        name: the metric's.

    Returns:
        The lines in their order, and the columns that were not used.

    Raises:
        DataError: no column of scores, two columns of the same meaning, or wrong cells: all.
    """
    table = read_table(path)
    columns, unused = _recognised(table)
    problems: list[str] = []
    cells = {
        meaning: _column(table, meaning, column, metric, problems)
        for meaning, column in columns.items()
    }
    if problems:
        raise DataError(*limited(problems), remedy="correct these lines; nothing was imported")
    lines = [
        _line(table, place, {meaning: values[place] for meaning, values in cells.items()}, name)
        for place in range(len(table))
    ]
    return lines, unused


def out_of_range(metric: Metric, value: float) -> bool:
    """Whether no score of the metric can be this."""
    return not (math.isfinite(value) and metric.lowest <= value <= metric.highest)


def range_words(metric: Metric) -> str:
    """What a score of the metric must be, in words."""
    ends = [
        *([f"at least {metric.lowest:g}"] if np.isfinite(metric.lowest) else []),
        *([f"at most {metric.highest:g}"] if np.isfinite(metric.highest) else []),
    ]
    return f"{' and '.join(['a finite number', *ends])} ({metric.label})"


def _is_export(path: Path) -> bool:
    """Whether a file's first line is the header that `write_scores` writes."""
    if not path.is_file():
        return False
    header = ",".join(_EXPORTED).encode()
    with path.open("rb") as file:
        return file.read(len(header) + 2).splitlines()[:1] == [header]


def _recognised(table: Table) -> tuple[dict[str, str], list[str]]:
    """Meaning → column, and the columns of no known meaning."""
    found: dict[str, list[str]] = {}
    unused = []
    for column in table.frame.columns:
        plain = re.sub(r"[\W_]+", "", column.lower())
        meaning = next((key for key, names in _HEADERS.items() if plain in names), None)
        if meaning is None:
            unused.append(column)
        else:
            found.setdefault(meaning, []).append(column)
    problems = [
        f"{table.path}:1: columns {', '.join(map(repr, columns))} all mean {meaning}"
        for meaning, columns in found.items()
        if len(columns) > 1
    ]
    if not set(_SCORES) & set(found):
        names = ", ".join(map(repr, table.frame.columns))
        problems.append(f"{table.path}:1: found the columns {names}, wanted one of scores")
    if problems:
        raise DataError(
            *problems, remedy="name the columns run, date, cv, public, private and comment"
        )
    return {meaning: columns[0] for meaning, columns in found.items()}, unused


def _column(
    table: Table, meaning: str, column: str, metric: Metric, problems: list[str]
) -> Sequence[Any]:
    """The cells of a column as `Row` has them; what is wrong goes to `problems`."""
    try:
        if meaning in _SCORES or meaning in _ENDS:
            return _scores(table, column, metric)
        if meaning == "number":
            numbers = integers(table, column)
            refuse(table, column, numbers < 1, "a number from 1 on")
            return [int(number) for number in numbers]
        cells = [one_line(_unescaped(cell)) for cell in texts(table, column)]
        if meaning in _TIMES:
            return _times(table, column, cells)
        return [cell or None for cell in cells]
    except DataError as error:
        problems += error.problems
        return [None] * len(table)


def _scores(table: Table, column: str, metric: Metric) -> list[float | None]:
    cells = texts(table, column)
    far = [is_number(cell) and out_of_range(metric, float(cell)) for cell in cells]
    problems: list[str] = []
    values = np.full(len(table), np.nan)
    try:
        values = floats(table, column, allow_missing=True)
    except DataError as error:
        problems += error.problems
    try:
        refuse(table, column, np.array(far, dtype=bool), range_words(metric))
    except DataError as error:
        problems += error.problems
    if problems:
        raise DataError(*problems)
    return [None if np.isnan(value) else float(value) for value in values]


def _times(table: Table, column: str, cells: Sequence[str]) -> list[str | None]:
    found = [moment(cell) for cell in cells]
    wrong = [bool(cell) and time is None for cell, time in zip(cells, found, strict=True)]
    refuse(table, column, np.array(wrong, dtype=bool), "a time such as 2025-03-01 09:30:00")
    return found


def _line(table: Table, place: int, cells: dict[str, Any], metric: str) -> Line:
    get: Callable[[str], Any] = cells.get
    file = _PACKED.sub("", get("file") or "")
    has_score = any(get(name) is not None for name in ("public", "private", "status"))
    # Other files have one date, that of the upload.
    uploaded = get("uploaded") if "uploaded" in cells else get("time") if has_score else None
    row = Row(
        run=get("run") or file or f"{table.path.stem} {table.unit} {table.lines[place]}",
        source="imported",
        number=get("number") or 0,
        time=get("time"),
        metric=get("metric") or metric,
        cv_how=(get("cv_how") or "given") if get("cv") is not None else None,
        **{name: get(name) for name in (*_SCORES, *_ENDS)},
        uploaded=uploaded,
        status=(get("status") or "").rpartition(".")[2].lower() or None,
        comment=get("comment") or "",
        commit=get("commit"),
    )
    words = row.comment.split(" ")[:1] if "file" in cells else []
    return Line(table.at(place), row, (file, *words) if file else tuple(words))


def _shown(value: Any) -> Any:
    if isinstance(value, str) and _is_risky(value):
        return f"'{value}"
    return value


def _unescaped(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and _is_risky(cell[1:]) else cell


def _is_risky(text: str) -> bool:
    """Whether a spreadsheet would run it, with or without apostrophes before it."""
    return text.lstrip("'").startswith(_FORMULA) or text.startswith("''")
