"""Checks a table of masks: every sample and class there, and every cell a mask inside its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from foldwise.config.competition import Competition
from foldwise.errors import DataError
from foldwise.masks.runs import Runs, concatenate
from foldwise.masks.sets import unite
from foldwise.masks.text import read_cells
from foldwise.stages.submitting.mask_shape import MaskShape, row_name
from foldwise.stages.submitting.opened import (
    Opened,
    header_problems,
    id_problems,
    limited,
    open_submission,
    some,
)

#: Cells that are runs at one time.
_AT_ONCE = 4096


def check_mask_table(
    path: Path, shape: MaskShape, sizes: Mapping[str, tuple[int, int]], competition: Competition
) -> list[str]:
    """What is wrong with a table of masks; empty if it is right.

    Checked: encoding, columns, rows (missing, unknown, repeated, out of order), every cell (numbers
    in pairs, runs sorted, without overlap, inside the image), and, of exclusive classes, that no
    pixel is of two.

    Args:
        path: any file.
        shape: what is asked.
        sizes: test sample → height and width of its image; of damaged ones nothing.
        competition: in which order pixels are counted, and whether classes exclude each other.
    """
    opened, problems = open_submission(path)
    if opened is None:
        return limited(problems)
    problems += header_problems(opened, shape.header)
    needed = {shape.id_column, *([] if shape.class_column is None else [shape.class_column])}
    if needed <= set(opened.cells.header):
        names = opened.column(shape.id_column)
        if shape.class_column is not None:
            names = tuple(map(row_name, names, opened.column(shape.class_column)))
        problems += id_problems(opened, names, shape.names)
        problems += _cells(opened, names, shape, sizes, competition)
    return limited(problems)


def _cells(
    opened: Opened,
    names: Sequence[str],
    shape: MaskShape,
    sizes: Mapping[str, tuple[int, int]],
    competition: Competition,
) -> list[str]:
    """Problems of the cells in rows that are asked for."""
    place = {name: row for row, name in enumerate(shape.names)}
    wanted = np.array([place.get(name, -1) for name in names], np.int64)
    rows = np.array([r for r, p in enumerate(wanted) if p >= 0 and shape.samples[p] in sizes])
    problems: list[str] = []
    for chunk in np.array_split(rows, max(1, -(-len(rows) // _AT_ONCE))) if len(rows) else []:
        problems += _cell_problems(opened, chunk, wanted[chunk], shape, sizes, competition)
    if problems or not competition.masks or not competition.masks.exclusive:
        return some(range(len(problems)), problems.__getitem__)
    return _overlaps(opened, rows, wanted[rows], shape, sizes, competition)


def _cell_problems(
    opened: Opened,
    rows: np.ndarray,
    places: np.ndarray,
    shape: MaskShape,
    sizes: Mapping[str, tuple[int, int]],
    competition: Competition,
) -> list[str]:
    problems: list[str] = []
    for column in shape.classes:
        if column not in opened.cells.header:
            continue
        try:
            _runs(opened, column, rows, places, shape, sizes, competition)
        except DataError as error:
            problems += error.problems
    return problems


def _runs(
    opened: Opened,
    column: str,
    rows: np.ndarray,
    places: np.ndarray,
    shape: MaskShape,
    sizes: Mapping[str, tuple[int, int]],
    competition: Competition,
) -> Runs:
    """The masks of some rows of a column."""
    assert competition.masks is not None
    cells = opened.column(column)
    shapes = np.array([sizes[shape.samples[place]] for place in places], np.int64).reshape(-1, 2)
    return read_cells(
        [cells[row] for row in rows],
        shapes[:, 0],
        shapes[:, 1],
        order=competition.masks.order,
        first=competition.masks.first,
        empty=shape.empty,
        name=lambda n: f"{opened.at(int(rows[n]))}: {shape.names[places[n]]}: column {column!r}",
    )


def _overlaps(
    opened: Opened,
    rows: np.ndarray,
    places: np.ndarray,
    shape: MaskShape,
    sizes: Mapping[str, tuple[int, int]],
    competition: Competition,
) -> list[str]:
    """Samples of whose pixels some are of two classes."""
    samples = [shape.samples[place] for place in places]
    number = {name: n for n, name in enumerate(dict.fromkeys(samples))}
    owners = np.array([number[name] for name in samples], np.int64)
    heights, widths = np.array([sizes[name] for name in number], np.int64).reshape(-1, 2).T
    every = concatenate(
        _runs(opened, column, rows, places, shape, sizes, competition) for column in shape.classes
    )
    groups = np.tile(owners, len(shape.classes))
    areas = np.bincount(groups, every.areas, len(number)).astype(np.int64)
    excess = areas - unite(every, groups, heights, widths).areas
    wrong, names = np.flatnonzero(excess).tolist(), list(number)
    return some(
        wrong,
        lambda n: (
            f"{opened.path}: {names[n]}: {excess[n]} pixels are of two classes or more, and every "
            "pixel is of one"
        ),
    )
