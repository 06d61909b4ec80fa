"""Whether a table's runs count pixels down the columns or along the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.masks.runs import Runs, transposed
from foldwise.masks.text import Order, read_cells

_LOOKED_AT = 200
#: So many times the runs across tell the wrong order; on `tile-defects` it is ten times.
_CLEAR = 2.0


@dataclass(frozen=True)
class FoundOrder:
    """In which order pixels are counted, None if the cells do not tell, and why."""

    order: Order | None
    reason: str


def find_order(
    cells: Sequence[str],
    heights: np.ndarray,
    widths: np.ndarray,
    *,
    first: int = 1,
    empty: str = "",
    name: Callable[[int], str] = "row {}".format,
) -> FoundOrder:
    """In which order the pixels of a column of cells are counted.

    Any runs inside the image are masks in both orders; but read in the wrong one, a shape falls
    into slanted stripes, and has many more runs across those that the cell holds. Square images
    only get their diagonal mirror image, which nothing in the cell tells from the truth.

    Args:
        cells: N texts.
        heights: (N,) int pixels of the images.
        widths: (N,) int pixels.
        first: the number of the first pixel.
        empty: another text that says that a mask is empty.
        name: says where a cell stands, from its position.

    Raises:
        DataError: as `read_cells`, of the cells looked at: at most 200, spread over all.
    """
    heights, widths = np.asarray(heights), np.asarray(widths)
    # One run says too little: any one is a bar in one order and a line in the other.
    several = np.array([len(cell.split()) > 2 for cell in cells], bool)
    rows = np.flatnonzero(several & (heights != widths))
    if not len(rows):
        what = "all images with masks are square" if several.any() else "no mask has two runs"
        return FoundOrder(None, f"{what}, so that either order could be meant")
    rows = rows[np.linspace(0, len(rows) - 1, min(_LOOKED_AT, len(rows))).astype(int)]
    down, across = (
        read_cells(
            [cells[row] for row in rows],
            heights[rows],
            widths[rows],
            order=order,
            first=first,
            empty=empty,
            name=lambda place: name(int(rows[place])),
        )
        for order in _ORDERS
    )
    return _compared(transposed(down), across)


_ORDERS: tuple[Order, Order] = ("columns", "rows")


def _compared(across_down: Runs, across_rows: Runs) -> FoundOrder:
    """The order that leaves by far fewer runs across its own, in most masks."""
    # The middle one: a few ragged masks hold more runs than all others together.
    ratio = float(np.median(across_rows.counts / across_down.counts))
    more = f"of {len(across_down)} masks the middle one has {max(ratio, 1 / ratio):.1f} times"
    if ratio >= _CLEAR:
        return FoundOrder("columns", f"{more} the runs across if read along the rows")
    if ratio <= 1 / _CLEAR:
        return FoundOrder("rows", f"{more} the runs across if read down the columns")
    return FoundOrder(None, f"{more} the runs across in one order that it has in the other")
