"""How pixels are counted in the runs of a table, found by looking at the images beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foldwise.data.decode import image_size
from foldwise.masks.order import find_order
from foldwise.masks.text import EMPTY_CELLS, Order
from foldwise.tables import Table

_NUM_LOOKED = 200


@dataclass(frozen=True)
class RowOrder:
    """How pixels are counted.

    Attributes:
        order: down the columns or along the rows; None: the cells do not tell.
        reason: why.
        first: the number of the first pixel.
        empty: another cell than "" that says that a mask is empty; "": none does.
    """

    order: Order | None
    reason: str
    first: int
    empty: str


def find_row_order(train: Table, columns: Sequence[str], images: Sequence[Path]) -> RowOrder:
    """How the pixels of a table's runs are counted.

    Args:
        train: the table.
        columns: with the runs.
        images: the image of each row; only headers of up to 200 are read.

    Raises:
        DataError: runs that are wrong in either order, of the cells looked at, by their row.
    """
    cells = [str(cell) for name in columns for cell in train.frame[name]]
    rows = np.tile(np.arange(len(train)), len(columns))
    filled = np.array([cell.strip() not in EMPTY_CELLS for cell in cells], bool)
    empty = next((word for word in EMPTY_CELLS[1:] if word in {c.strip() for c in cells}), "")
    first = 0 if any(cell.startswith("0 ") for cell in cells) else 1
    several = np.flatnonzero(filled & np.array([cell.count(" ") > 1 for cell in cells], bool))
    chosen = several[np.linspace(0, len(several) - 1, min(_NUM_LOOKED, len(several))).astype(int)]
    sizes = [image_size(images[rows[place]]) for place in chosen.tolist()]
    known = [(place, size) for place, size in zip(chosen.tolist(), sizes, strict=True) if size]
    if not known:
        return RowOrder(None, "no mask has two runs, so that either order could be meant", 1, empty)
    heights, widths = np.array([size for _, size in known]).T
    told = find_order(
        [cells[place] for place, _ in known],
        heights,
        widths,
        first=first,
        name=lambda n: train.at(int(rows[known[n][0]])),
    )
    return RowOrder(told.order, told.reason, first, empty)
