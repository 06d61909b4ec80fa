"""The order column as one clock: numbers or ISO dates, and groups that do not overlap on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from foldwise.data.fold_groups import merge_groups
from foldwise.errors import DataError

_MAX_NAMED = 5
#: Seconds of the days that dates are counted in.
DAY_S = 86_400.0


def read_order(cells: Sequence[str], *, column: str) -> np.ndarray:
    """The place of each row in time.

    Args:
        cells: N numbers, or N dates or times in ISO form such as `2024-05-31` or
            `2024-05-31T07:00:00+02:00`; all of them with a time zone or none.
        column: for the message.

    Returns:
        (N,) float64, finite: the numbers, or days for dates.

    Raises:
        DataError: cells that are neither, or times with and without a zone.

    >>> read_order(["2024-02-28T12:00", "2024-03-01"], column="day").tolist()[1] % 1
    0.0
    """
    numbers = np.array([_number(cell) for cell in cells])
    if np.isfinite(numbers).all():
        return numbers
    times = [_time(cell) for cell in cells]
    bad = [
        cell
        for cell, number, time in zip(cells, numbers, times, strict=True)
        if time is None and not np.isfinite(number)
    ]
    if bad:
        raise DataError(
            f"{column}: {len(bad)} cells are neither numbers nor ISO dates: {_shown(bad)}",
            remedy="dates are wanted as 2024-05-31 or 2024-05-31T07:00:00, and in every row",
        )
    mixed = [cell for cell, time in zip(cells, times, strict=True) if time is None]
    if mixed:
        raise DataError(
            f"{column}: {len(mixed)} cells are numbers and the others dates: {_shown(mixed)}",
            remedy="one clock is wanted for all rows",
        )
    known = [time for time in times if time is not None]
    if len({time.tzinfo is None for time in known}) > 1:
        raise DataError(
            f"{column}: some times have a zone and some have none: {_shown(cells)}",
            remedy="one clock is wanted for all rows",
        )
    aware = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in known]
    return np.array([time.timestamp() / DAY_S for time in aware])


def is_order(cell: str) -> bool:
    """Whether the cell is a finite number or an ISO date or time."""
    return bool(np.isfinite(_number(cell))) or _time(cell) is not None


def are_dates(cells: Sequence[str]) -> bool:
    """Whether `read_order` gives days for these cells, and not their own numbers.

    >>> are_dates(["2024-05-31"]), are_dates(["30", "60"])
    (True, False)
    """
    return any(not np.isfinite(_number(cell)) for cell in cells)


def check_one_clock(order: np.ndarray, groups: Sequence[np.ndarray], *, column: str) -> None:
    """Refuse groups that overlap in time: no block of time could keep them whole.

    That is how a column looks that counts anew in every group, such as the frames of a track.

    Args:
        order: (N,) float.
        groups: the cells of each group column, (N,) each.
        column: name of the order column.

    Raises:
        DataError: the first two groups that overlap.
    """
    # Rows without a group may lie anywhere: no block has to keep them with others.
    rows = np.any([cells != "" for cells in groups], axis=0) if groups else np.zeros(0, dtype=bool)
    if not rows.any():
        return
    groups, order = [cells[rows] for cells in groups], order[rows]
    numbers = merge_groups(*groups)
    num_groups = int(numbers.max()) + 1
    start, end = np.full(num_groups, np.inf), np.full(num_groups, -np.inf)
    np.minimum.at(start, numbers, order)
    np.maximum.at(end, numbers, order)
    in_time = np.lexsort((end, start))
    latest = np.maximum.accumulate(end[in_time])
    cut = np.flatnonzero(start[in_time][1:] < latest[:-1])
    if not len(cut):
        return
    second = in_time[cut[0] + 1]
    first = in_time[int(np.argmax(latest >= latest[cut[0]]))]
    # The row's cells, not the number: the user knows those.
    named = [
        "/".join(str(cells[np.argmax(numbers == number)]) for cells in groups)
        for number in (first, second)
    ]
    raise DataError(
        f"folds.scheme: time_blocks cuts {column} into blocks, but groups overlap on it: "
        f"{named[0]} ({start[first]:g} to {end[first]:g}) and "
        f"{named[1]} ({start[second]:g} to {end[second]:g})",
        remedy=f"if {column} counts anew in every group, name a column with one clock in "
        "columns.order, or use folds.scheme: stratified_group, which keeps groups whole; "
        "if it is one clock, take the group column out of columns.group",
    )


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _time(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell.strip())
    except ValueError:
        return None


def _shown(cells: Sequence[str]) -> str:
    return ", ".join(map(repr, cells[:_MAX_NAMED]))
