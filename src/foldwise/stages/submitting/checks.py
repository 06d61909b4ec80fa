"""Checks any submission file against what is asked, every problem with line, found and fix."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise.home import Home
from foldwise.stages.submitting.cells import CellCheck, cell_check
from foldwise.stages.submitting.masks import check_masks_submission
from foldwise.stages.submitting.opened import (
    Opened,
    header_problems,
    id_problems,
    limited,
    open_submission,
    some,
)
from foldwise.stages.submitting.shape import SUM_TOLERANCE, Shape, submission_shape
from foldwise.tasks.problem import load_competition


def check_submission(home: Home, path: Path) -> list[str]:
    """What is wrong with a submission file; empty if it is right.

    Checked: encoding, what stands between cells, columns and their order, ids (missing, unknown,
    repeated, out of order, formulas), every cell, and sums of rows where the sample's are 1. Of
    masks: see `check_mask_table` and `check_mask_images`.

    Args:
        home: the competition whose sample submission says what is asked.
        path: any file.

    Returns:
        One sentence each: where, found, wanted or fix. Of one kind five and their number, in all
        twenty and the number of the others.

    Raises:
        ConfigError, DataError: the competition or its sample submission is wrong itself.
    """
    competition, task = load_competition(home)
    if task.kind == "map":
        return check_masks_submission(home, competition, path)
    shape = submission_shape(home, competition, task)
    return check_file(path, shape, cell_check(competition, task))


def check_file(path: Path, shape: Shape, check: CellCheck) -> list[str]:
    """As `check_submission`, for a known shape and check of cells."""
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
