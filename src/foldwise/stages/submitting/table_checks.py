"""Checks a table of answers or scores against what is asked, with line, found and fix."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise.stages.submitting.cells import CellCheck
from foldwise.stages.submitting.opened import (
    Opened,
    header_problems,
    id_problems,
    limited,
    open_submission,
    some,
)
from foldwise.stages.submitting.shape import SUM_TOLERANCE, Shape


def check_file(path: Path, shape: Shape, check: CellCheck) -> list[str]:
    """What is wrong with a table; see `check_submission`.

    Args:
        path: any file.
        shape: what is asked.
        check: of the cells beside the id.
    """
    opened, problems = open_submission(path)
    if opened is None:
        return limited(problems)
    problems += header_problems(opened, shape.header)
    if shape.id_column in opened.cells.header:
        problems += id_problems(opened, opened.column(shape.id_column), shape.ids)
    for column in shape.asked:
        if column in opened.cells.header:
            problems += _column(opened, column, check)
    if shape.sums_to_one and not problems:
        problems += _sums(opened, shape)
    return limited(problems)


def _column(opened: Opened, column: str, check: CellCheck) -> list[str]:
    cells = opened.column(column)
    wrong = {cell for cell in set(cells) if not check.is_right(cell)}
    rows = [row for row, cell in enumerate(cells) if cell in wrong] if wrong else []
    return some(
        rows, lambda row: f"{opened.at(row)}: column {column!r}: {check.problem(cells[row])}"
    )


def _sums(opened: Opened, shape: Shape) -> list[str]:
    values = np.array([opened.column(name) for name in shape.asked]).astype(np.float64)
    sums = values.sum(axis=0)
    wrong: list[int] = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE).tolist()
    return some(
        wrong,
        lambda row: (
            f"{opened.at(row)}: the row sums to {sums[row]:.6g}, wanted 1 as in the sample "
            "submission; divide the row by its sum"
        ),
    )
