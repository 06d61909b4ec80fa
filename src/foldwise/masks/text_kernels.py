"""Loops over the characters of masks written as text, for numba to compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_MOST_DIGITS = np.uint64(18)


def read_pairs(
    text: np.ndarray,
    offsets: np.ndarray,
    sizes: np.ndarray,
    first: int,
    runs: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Read cells of numbers with single blanks between, "start length start length".

    Args:
        text: (B,) uint8 the cells' bytes, one behind the other.
        offsets: (N + 1,) where each begins.
        sizes: (N,) int64 pixels.
        first: the number of the first pixel.
        runs: (2, R) int64; gets starts from 0, and lengths. Room for a run every 4 bytes.
        counts: (N,) int64; gets the runs of each, -1: it is not in order.

    Returns:
        Runs read; those that touch are one.
    """
    num = _ZERO
    starts, lengths = runs[0], runs[1]
    for row in range(len(sizes)):
        at, stop = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        begin, end = num, 0
        start = -1
        is_right = True
        while at < stop and is_right:
            value, since = 0, at
            while at < stop and 48 <= text[at] <= 57:
                value = 10 * value + text[at] - 48
                at += _ONE
            is_right = bool(since < at <= since + _MOST_DIGITS)
            if at < stop:
                is_right = is_right and bool(text[at] == 32 and at + _ONE < stop)
                at += _ONE
            if start < 0:
                start = value - first
                is_right = is_right and start >= end
            else:
                is_right = is_right and value > 0 and start + value <= sizes[row]
                if start == end and num > begin:
                    lengths[num - _ONE] += value
                else:
                    starts[num] = start
                    lengths[num] = value
                    num += _ONE
                end, start = start + value, -1
        if is_right and start < 0:
            counts[row] = num - begin
        else:
            counts[row] = -1
            num = begin
    return int(num)


def write_strings(
    offsets: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    sizes: np.ndarray,
    text: np.ndarray,
    ends: np.ndarray,
) -> None:
    """Write masks as COCO's compressed counts.

    Args:
        offsets: (N + 1,) int64 where each mask's runs begin.
        starts: (R,) int64 first pixels.
        lengths: (R,) int64.
        sizes: (N,) int64 pixels.
        text: (B,) uint8; gets the characters. Room for 26 for each run and 13 for each mask.
        ends: (N,) int64; gets where each string ends.
    """
    at = _ZERO
    for row in range(len(sizes)):
        end = last = last_but_one = 0
        num = 0
        run, stop = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        while True:
            # In turn the pixels up to a run and those in it; then the rest.
            if num % 2:
                count = lengths[run]
                end += count
                run += _ONE
            elif run < stop:
                count = starts[run] - end
                end = starts[run]
            else:
                count = sizes[row] - end
                end = sizes[row]
                if count == 0 and num > 0:
                    break
            left = count - last_but_one if num > 2 else count
            last_but_one, last = last, count
            num += 1
            goes_on = True
            while goes_on:
                digit = left & 31
                left >>= 5
                goes_on = left != (-1 if digit & 16 else 0)
                text[at] = digit + 48 + (32 if goes_on else 0)
                at += _ONE
            if run == stop and end == sizes[row]:
                break
        ends[row] = at


_BYTES, _INTS = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("uint8", "int64"))

#: Each kernel and the types it is compiled for.
TYPES: dict[Callable[..., Any], str] = {
    read_pairs: f"int64({_BYTES}, {_INTS}, {_INTS}, int64, int64[:, ::1], int64[::1])",
    write_strings: f"void({', '.join([_INTS] * 4)}, uint8[::1], int64[::1])",
}
