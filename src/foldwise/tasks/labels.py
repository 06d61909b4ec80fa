"""Reading label cells into targets, shared by the tasks."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from foldwise.errors import DataError


def class_indices(cells: Sequence[str], classes: Sequence[str], *, column: str) -> np.ndarray:
    """Cells as positions in `classes`, (N,) int64.

    Raises:
        DataError: cells that are no class, the commonest named with the nearest class.
    """
    position = {name: index for index, name in enumerate(classes)}
    unknown = Counter(cell for cell in cells if cell not in position)
    if unknown:
        shown = []
        for cell, count in unknown.most_common(5):
            near = difflib.get_close_matches(cell, classes, n=1)
            shown.append(
                f"{column}: {cell!r} ({count} rows) is not one of the {len(classes)} classes"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
        raise DataError(*shown, remedy="correct the cells, or `classes` in competition.yaml")
    return np.array([position[cell] for cell in cells], dtype=np.int64)


def numbers(cells: Sequence[str], *, column: str) -> np.ndarray:
    """Cells as finite numbers, (N,) float64.

    Raises:
        DataError: cells that are no finite number; the first five are shown.
    """
    values = np.full(len(cells), np.nan)
    for index, cell in enumerate(cells):
        try:
            values[index] = float(cell)
        except ValueError:
            continue
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        shown = ", ".join(repr(cells[i]) for i in bad[:5])
        raise DataError(f"{column}: {len(bad)} cells are not finite numbers: {shown}")
    return values


def natural_order(names: Sequence[str]) -> tuple[str, ...]:
    """Distinct names, whole numbers by value, other names by letter.

    >>> natural_order(["10", "9", "9"])
    ('9', '10')
    """
    distinct = set(names)
    if all(is_integer(name) for name in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def is_integer(cell: str) -> bool:
    """Whether the cell is a whole number as digits.

    >>> [is_integer(c) for c in ("12", "-1", "1.0", "a", "")]
    [True, True, False, False, False]
    """
    return cell.removeprefix("-").isdecimal() and cell.isascii()


def is_number(cell: str) -> bool:
    """Whether the cell is a finite number."""
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
