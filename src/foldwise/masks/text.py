"""Masks in cells of a table, "start length start length": read, refused by row, and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.masks import text_kernels
from foldwise.masks.compiling import compiled
from foldwise.masks.runs import Runs, concatenate, join, transposed

Order = Literal["columns", "rows"]

#: Cells that say that a mask is empty, wherever they stand; `1 0` is a run without a pixel.
EMPTY_CELLS = ("", "-1", "1 0")

_PLAIN = "^([0-9]{1,18}( [0-9]{1,18})*)?$"


def read_cells(
    cells: Sequence[str],
    heights: np.ndarray,
    widths: np.ndarray,
    *,
    order: Order = "columns",
    first: int = 1,
    empty: str = "",
    name: Callable[[int], str] = "row {}".format,
) -> Runs:
    """The masks of a column of cells.

    Runs that touch, as in "1 3 4 2", are one run. Any blanks may stand between numbers.

    Args:
        cells: N texts; an empty one is an empty mask.
        heights: (N,) int pixels of the images.
        widths: (N,) int pixels.
        order: whether pixels are counted down the columns or along the rows.
        first: the number of the first pixel, 1 or 0.
        empty: another text that says that a mask is empty, such as "-1".
        name: says where a cell stands, from its position.

    Raises:
        DataError: numbers that are none or not in pairs, runs below the first pixel, without
            length, beyond the image, not sorted, or overlapping; a line for each such cell.

    >>> read_cells(["1 2 5 1", ""], np.array([3, 3]), np.array([2, 2])).areas.tolist()
    [3, 0]
    """
    heights, widths = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    if not len(cells) == len(heights) == len(widths):
        raise ValueError(f"{len(cells)} cells, {len(heights)} heights and {len(widths)} widths")
    if empty:
        cells = ["" if cell.strip() == empty else cell for cell in cells]
    sides = (heights, widths) if order == "columns" else (widths, heights)
    runs, unread = _read(pa.array(cells, pa.large_string()), *sides, first)
    if len(unread):
        runs = _with_unread(runs, unread, cells, first, name)
    return runs if order == "columns" else transposed(runs)


def write_cells(
    runs: Runs, *, order: Order = "columns", first: int = 1, empty: str = ""
) -> list[str]:
    """Each mask as one cell, the counterpart of `read_cells`.

    >>> from foldwise.masks.runs import encode
    >>> write_cells(encode([np.eye(2), np.zeros((2, 2))]), empty="-1")
    ['1 1 4 1', '-1']
    """
    if order == "rows":
        runs = transposed(runs)
    pairs = np.stack([runs.starts + first, runs.lengths], axis=1).ravel()
    texts = pc.cast(pa.array(pairs), pa.string())
    lists = pa.ListArray.from_arrays(pa.array(2 * runs.offsets, pa.int32()), texts)
    cells: list[str] = pc.binary_join(lists, " ").to_pylist()
    return [cell or empty for cell in cells] if empty else cells


def _read(
    texts: pa.Array, heights: np.ndarray, widths: np.ndarray, first: int
) -> tuple[Runs, np.ndarray]:
    """The masks, and the positions of cells that were not read because of how they are written."""
    _, places, data = texts.buffers()
    num_bytes = data.size if data else 0
    if read_pairs := compiled(text_kernels.read_pairs, 15 * num_bytes):
        counts = np.empty(len(texts), np.int64)
        pairs = np.empty((2, num_bytes // 4 + 1 + len(texts)), np.int64)
        text = np.frombuffer(data, np.uint8) if num_bytes else np.empty(0, np.uint8)
        offsets = np.frombuffer(places, np.int64, len(texts) + 1)
        num = read_pairs(text, offsets, heights * widths, first, pairs, counts)
        starts, lengths = pairs[0, :num], pairs[1, :num]
    else:
        starts, lengths, counts = _read_pairs(texts, heights * widths, first)
    unread = np.flatnonzero(counts < 0)
    offsets = np.concatenate([[0], np.cumsum(np.maximum(counts, 0))])
    runs = Runs(heights, widths, offsets, starts, lengths)
    return runs if read_pairs else join(runs), unread


def _read_pairs(
    texts: pa.Array, sizes: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the kernel does, but for runs that touch."""
    is_plain = pc.match_substring_regex(texts, _PLAIN).to_numpy(zero_copy_only=False)
    has_text = pc.greater(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_plain & has_text)
    parts = pc.split_pattern(texts.take(pa.array(rows)), " ")
    counts = parts.value_lengths().to_numpy()
    numbers = parts.flatten().cast(pa.int64()).to_numpy()
    is_even = counts % 2 == 0
    numbers = numbers[np.repeat(is_even, counts)]
    rows, counts = rows[is_even], counts[is_even] // 2
    starts, lengths, owners = numbers[::2] - first, numbers[1::2], np.repeat(rows, counts)
    ends = starts + lengths
    is_wrong = (starts < 0) | (lengths < 1) | (ends > sizes[owners])
    is_wrong[1:] |= (owners[1:] == owners[:-1]) & (starts[1:] < ends[:-1])
    found = np.where(is_plain, 0, -1)
    found[np.flatnonzero(is_plain & has_text)[~is_even]] = -1
    found[rows] = counts
    found[owners[is_wrong]] = -1
    is_right = found[owners] >= 0
    return starts[is_right], lengths[is_right], found


def _with_unread(
    runs: Runs, unread: np.ndarray, cells: Sequence[str], first: int, name: Callable[[int], str]
) -> Runs:
    """Put in the masks of cells that are right but oddly spaced; refuse the others."""
    parts, problems, remedies = [], [], set()
    for row in unread.tolist():
        height, width = int(runs.heights[row]), int(runs.widths[row])
        try:
            parts.append(_read_one(cells[row], height * width, first))
        except _WrongRunError as error:
            problems.append(f"{name(row)}: {error} (an image of {height * width} pixels)")
            remedies.add(error.remedy)
    if problems:
        raise DataError(*limited(problems), remedy="; ".join(sorted(remedies - {""})))
    sizes = np.stack([runs.heights[unread], runs.widths[unread]], axis=1)
    order = np.arange(len(runs))
    order[unread] = len(runs) + np.arange(len(unread))
    return concatenate([runs, join(Runs.of(parts, sizes.tolist()))]).take(order)


class _WrongRunError(Exception):
    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


def _read_one(cell: str, size: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts from 0 and lengths of one cell; refuses it with what is wrong first."""
    numbers = [_number(word, place) for place, word in enumerate(cell.split(), start=1)]
    if len(numbers) % 2:
        raise _WrongRunError(f"found {len(numbers)} numbers, wanted pairs of start and length")
    starts, lengths = numbers[::2], numbers[1::2]
    for place, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        run = f"run {place + 1}, {start} {length},"
        if start < first:
            from_zero = "if the table counts pixels from 0, say so; its first start can be 0"
            raise _WrongRunError(
                f"{run} starts before pixel {first}", from_zero if start == 0 else ""
            )
        if length < 1:
            raise _WrongRunError(f"{run} has no pixels")
        if start - first + length > size:
            raise _WrongRunError(f"{run} ends at pixel {start + length - 1}, beyond the last")
        if place and start < starts[place - 1]:
            raise _WrongRunError(f"{run} starts before the one before it, at {starts[place - 1]}")
        if place and start < starts[place - 1] + lengths[place - 1]:
            last = starts[place - 1] + lengths[place - 1] - 1
            raise _WrongRunError(f"{run} overlaps the one before it, which ends at {last}")
    return np.array(starts, np.int64) - first, np.array(lengths, np.int64)


def _number(word: str, place: int) -> int:
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise _WrongRunError(f"number {place} is {word[:40]!r}, wanted a whole number")
    return int(word)
