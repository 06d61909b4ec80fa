"""Columns of the tables as numbers beside the features: values, or a number per category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise.errors import DataError
from foldwise.tables import is_number


@dataclass(frozen=True)
class Column:
    """How a column's cells become numbers, learned from the training rows of one fold.

    Attributes:
        name: of the column.
        kind: number or category.
        categories: in order; a category that is not among them is 0 in all of them.
        fill: what an empty cell of numbers counts as: the mean.
        has_missing: whether a further number says that the cell is empty.
    """

    name: str
    kind: Literal["number", "category"]
    categories: tuple[str, ...] = ()
    fill: float = 0.0
    has_missing: bool = False


def kind_of(cells: Sequence[str]) -> Literal["number", "category"]:
    """Numbers, if all cells that are not empty are.

    >>> kind_of(["1.5", ""]), kind_of(["1", "a"])
    ('number', 'category')
    """
    return "number" if all(is_number(cell) for cell in cells if cell) else "category"


def fit_column(name: str, cells: Sequence[str], kind: Literal["number", "category"]) -> Column:
    """What these cells, of the training rows, say about a column.

    Raises:
        DataError: a column of numbers has a cell that is none.
    """
    if kind == "category":
        return Column(name, kind, categories=tuple(sorted({cell for cell in cells if cell})))
    values = _numbers(name, cells)
    known = values[np.isfinite(values)]
    fill = float(known.mean()) if len(known) else 0.0
    return Column(name, kind, fill=fill, has_missing=len(known) < len(values))


def encode(column: Column, cells: Sequence[str]) -> np.ndarray:
    """(N, n) float64: one number and perhaps whether it is missing, or 0 and 1 per category.

    Raises:
        DataError: a column of numbers has a cell that is none.
    """
    if column.kind == "category":
        text = np.array(cells, dtype=object)[:, None]
        return np.asarray(text == np.array(column.categories, dtype=object), dtype=np.float64)
    values = _numbers(column.name, cells)
    is_missing = np.isnan(values)
    parts = [np.where(is_missing, column.fill, values)]
    parts += [is_missing.astype(np.float64)] if column.has_missing else []
    return np.stack(parts, axis=1)


def _numbers(name: str, cells: Sequence[str]) -> np.ndarray:
    """(N,) float64, NaN where a cell is empty."""
    wrong = sorted({cell for cell in cells if cell and not is_number(cell)})
    if wrong:
        raise DataError(
            f"column {name}: a number is wanted, found {', '.join(map(repr, wrong[:5]))}",
            remedy=f"correct the table, or take it as categories: {{name: {name}, kind: category}}",
        )
    return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
