"""Loops over pixels and runs, for numba to compile; `compiling` says when it does.

Beside each place that calls one stands the same work in numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Unsigned throughout: an index that might be negative costs a test, and the loop its vectors.
_ZERO, _ONE, _SEVEN, _EIGHT, _HALF, _LAST = (np.uint64(number) for number in (0, 1, 7, 8, 32, 56))
_LOW_BITS, _OTHER_BITS = np.uint64(0x0101010101010101), np.uint64(0x7F7F7F7F7F7F7F7F)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_BLOCK, _PART = np.uint64(128), np.uint64(8)
_GAP = 2048


def find_marks(
    words: np.ndarray, per_row: int, tops: np.ndarray, feet: np.ndarray, columns: np.ndarray
) -> int:
    """Where the columns' runs start and end, row by row.

    Args:
        words: (H * per_row,) uint64: rows of pixels, one a byte, filled up with zeros.
        per_row: words.
        tops: (M,) uint64; gets the first pixels, column << 32 | row. Room for one more than the
            most runs possible.
        feet: (M,) uint64; gets the last pixels.
        columns: (8 * per_row + 1,) int64 zeros; gets the runs of each column, one place later.

    Returns:
        Runs found.
    """
    num_words, row_words = np.uint64(len(words)), np.uint64(per_row)
    last_row = num_words - row_words
    num_tops = num_feet = y = _ZERO
    row_end = row_words
    for block in range((num_words + _BLOCK - _ONE) // _BLOCK):
        first = block * _BLOCK
        # Most pixels are in no mask: many are looked at as one, then fewer, then each.
        found = _ZERO
        if first + _BLOCK <= num_words:
            for word in range(_BLOCK):
                found |= words[first + word]
            if found == _ZERO:
                continue
        for part in range(_BLOCK // _PART):
            begin = first + part * _PART
            if begin + _PART <= num_words:
                found = _ZERO
                for word in range(_PART):
                    found |= words[begin + word]
                if found == _ZERO:
                    continue
            for at in range(begin, min(begin + _PART, num_words)):
                here = words[at]
                if here == _ZERO:
                    continue
                above = words[at - row_words] if at >= row_words else _ZERO
                below = words[at + row_words] if at < last_row else _ZERO
                if here == above and here == below:
                    continue
                while at >= row_end:
                    row_end += row_words
                    y += _ONE
                # The lowest bit of each byte: whether the byte is not 0.
                here = ((here | ((here & _OTHER_BITS) + _OTHER_BITS)) >> _SEVEN) & _LOW_BITS
                above = ((above | ((above & _OTHER_BITS) + _OTHER_BITS)) >> _SEVEN) & _LOW_BITS
                below = ((below | ((below & _OTHER_BITS) + _OTHER_BITS)) >> _SEVEN) & _LOW_BITS
                x = _EIGHT * (at + row_words - row_end)
                starting, ending = here & ~above, here & ~below
                # Written always and kept by counting on: no branch to be foretold wrongly.
                if starting:
                    for byte in range(_EIGHT):
                        is_set = (starting >> (_EIGHT * byte)) & _ONE
                        tops[num_tops] = (x + byte) << _HALF | y
                        num_tops += is_set
                        columns[x + byte + _ONE] += np.int64(is_set)
                if ending:
                    for byte in range(_EIGHT):
                        feet[num_feet] = (x + byte) << _HALF | y
                        num_feet += (ending >> (_EIGHT * byte)) & _ONE
    return int(num_tops)


def sort_marks(
    tops: np.ndarray, feet: np.ndarray, columns: np.ndarray, height: int, runs: np.ndarray
) -> int:
    """The runs of a mask from the marks of its columns' runs.

    Args:
        tops: (R,) uint64 as `find_marks` gives them.
        feet: (R,) uint64 as it gives them.
        columns: as it gives them.
        height: pixels.
        runs: (2, R) int64; gets first pixels and lengths.

    Returns:
        Runs: what is set to the foot of a column goes on at the head of the next.
    """
    places = np.cumsum(columns)
    later = places.copy()
    rows = np.uint64(height)
    starts, ends = runs[0], runs[1]
    for number in range(np.uint64(len(tops))):
        x, y = tops[number] >> _HALF, tops[number] & _LOW_HALF
        starts[np.uint64(places[x])] = x * rows + y
        places[x] += 1
        x, y = feet[number] >> _HALF, feet[number] & _LOW_HALF
        ends[np.uint64(later[x])] = x * rows + y + _ONE
        later[x] += 1
    num = _ZERO
    last = -1
    for number in range(np.uint64(len(tops))):
        start, end = starts[number], ends[number]
        if start == last:
            ends[num - _ONE] += end - start
        else:
            starts[num] = start
            ends[num] = end - start
            num += _ONE
        last = end
    return int(num)


def find_changes(words: np.ndarray, changes: np.ndarray) -> int:
    """Where pixels that lie in the order of runs differ from the ones before them.

    Args:
        words: (P,) uint64 pixels, one a byte.
        changes: (8 * P + 1,) uint64; gets numbers of pixels, starts and ends of runs in turn.

    Returns:
        Changes found; odd if the last pixel is set.
    """
    num_words = np.uint64(len(words))
    num = before = _ZERO
    for block in range((num_words + _BLOCK - _ONE) // _BLOCK):
        first = block * _BLOCK
        if before == _ZERO and first + _BLOCK <= num_words:
            found = _ZERO
            for word in range(_BLOCK):
                found |= words[first + word]
            if found == _ZERO:
                continue
        for at in range(first, min(first + _BLOCK, num_words)):
            here = words[at]
            if before == _ZERO and here == _ZERO:
                continue
            here = ((here | ((here & _OTHER_BITS) + _OTHER_BITS)) >> _SEVEN) & _LOW_BITS
            differs = here ^ ((here << _EIGHT) | before)
            before = here >> _LAST
            if differs:
                for byte in range(_EIGHT):
                    changes[num] = _EIGHT * at + byte
                    num += (differs >> (_EIGHT * byte)) & _ONE
    return int(num)


def repaint(
    pixels: np.ndarray,
    places: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    old_offsets: np.ndarray,
    old_starts: np.ndarray,
    old_lengths: np.ndarray,
    value: int,
) -> None:
    """Unset old runs of masks and set others.

    Args:
        pixels: (P,) uint8; between the old runs of a mask nothing is set.
        places: (N,) int64 where each mask's pixels begin.
        offsets: (N + 1,) int64 where each mask's runs begin.
        starts: (R,) int64 first pixels, from 0 in each mask.
        lengths: (R,) int64.
        old_offsets: (N + 1,) int64 of the old runs.
        old_starts: (Q,) int64.
        old_lengths: (Q,) int64.
        value: that set pixels get.
    """
    for row in range(len(places)):
        # One sweep over a gap is cheaper than many short ones.
        begin = end = places[row]
        for run in range(np.uint64(old_offsets[row]), np.uint64(old_offsets[row + 1])):
            start = places[row] + old_starts[run]
            if start > end + _GAP:
                pixels[begin:end] = 0
                begin = start
            end = start + old_lengths[run]
        pixels[begin:end] = 0
        for run in range(np.uint64(offsets[row]), np.uint64(offsets[row + 1])):
            start = places[row] + starts[run]
            pixels[start : start + lengths[run]] = value


def overlaps(
    offsets: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    other_offsets: np.ndarray,
    other_starts: np.ndarray,
    other_lengths: np.ndarray,
    common: np.ndarray,
    total: np.ndarray,
) -> None:
    """Pixels that both masks of each pair have, and the sum of their areas, (N,) int64 each."""
    for row in range(len(common)):
        one, stop = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        two, other_stop = np.uint64(other_offsets[row]), np.uint64(other_offsets[row + 1])
        area = 0
        for run in range(one, stop):
            area += lengths[run]
        for run in range(two, other_stop):
            area += other_lengths[run]
        total[row] = area
        common[row] = 0
        if one == stop or two == other_stop:
            continue
        start, other_start = starts[one], other_starts[two]
        end, other_end = start + lengths[one], other_start + other_lengths[two]
        both = 0
        while True:
            # The run that ends first is done with.
            if end <= other_end:
                both += max(end - max(start, other_start), 0)
                one += _ONE
                if one == stop:
                    break
                start = starts[one]
                end = start + lengths[one]
            else:
                both += max(other_end - max(start, other_start), 0)
                two += _ONE
                if two == other_stop:
                    break
                other_start = other_starts[two]
                other_end = other_start + other_lengths[two]
        common[row] = both


_INTS, _WORDS = (f"Array({kind}, 1, 'C', readonly=True)" for kind in ("int64", "uint64"))

#: Each kernel and the types it is compiled for.
TYPES: dict[Callable[..., Any], str] = {
    find_marks: f"int64({_WORDS}, int64, uint64[::1], uint64[::1], int64[::1])",
    sort_marks: "int64(uint64[::1], uint64[::1], int64[::1], int64, int64[:, ::1])",
    find_changes: f"int64({_WORDS}, uint64[::1])",
    repaint: f"void(uint8[::1], {', '.join([_INTS] * 7)}, int64)",
    overlaps: f"void({', '.join([_INTS] * 6)}, int64[::1], int64[::1])",
}
