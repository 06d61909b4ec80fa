"""Pixels of masks: their runs found, and runs painted into them."""

from __future__ import annotations

import mmap

import numpy as np

from foldwise.masks import kernels
from foldwise.masks.compiling import Kernel, compiled

#: From here numpy asks for pages of 2 MB, which are cleared whole for a few set pixels.
_LARGE = 1 << 22
_NONE = np.empty(0, np.int64)

#: Of N masks, (N + 1,) int64 where each one's runs begin, and (R,) first pixels and lengths.
Ragged = tuple[np.ndarray, np.ndarray, np.ndarray]


class Room:
    """Memory to find runs in, kept from mask to mask."""

    def __init__(self) -> None:
        self._marks = np.empty((2, 0), np.uint64)

    def marks(self, num: int) -> np.ndarray:
        """Two rows of (num,) uint64 or more, of any content."""
        if num > self._marks.shape[1]:
            self._marks = np.empty((2, num), np.uint64)
        return self._marks


def find_runs(mask: np.ndarray, room: Room) -> tuple[np.ndarray, np.ndarray]:
    """First pixels and lengths of a mask's runs, counted down the columns.

    Args:
        mask: (H, W) bool or numbers; what is not 0 is set.
        room: to work in, for one mask after the other.

    Returns:
        (R,) int64 each, rising; runs that touch are one.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask of shape {mask.shape}, wanted (H, W)")
    if not mask.size:
        return _NONE, _NONE
    if mask.dtype not in (np.bool_, np.uint8):
        mask = mask != 0
    if mask.flags.f_contiguous:
        return _runs_along(mask.ravel(order="F"), room)
    if find_marks := compiled(kernels.find_marks, mask.size / 4):
        return _runs_by_words(mask, room, find_marks)
    return _runs_by_rows(mask)


def paint(
    pixels: np.ndarray,
    places: np.ndarray,
    runs: Ragged,
    *,
    before: Ragged | None = None,
    value: int = 1,
) -> None:
    """Set the runs of masks that lie one behind the other, in place.

    Args:
        pixels: (P,) uint8 contiguous.
        places: (N,) int64 where each mask's pixels begin.
        runs: of N masks.
        before: of N masks, all that is set in them now; they are unset first.
        value: 0..255.
    """
    old = before or (np.zeros(len(places) + 1, np.int64), _NONE, _NONE)
    if repaint := compiled(kernels.repaint, 150 * (len(runs[1]) + len(old[1]))):
        repaint(pixels, places, *runs, *old, value)
        return
    for (offsets, starts, lengths), level in ((old, 0), (runs, value)):
        # Slices of memory are set in half the time that slices of arrays take.
        memory = memoryview(pixels.data)
        values = memoryview(bytes([level]) * int(lengths.max(initial=0)))
        firsts = starts + np.repeat(places, np.diff(offsets))
        for start, length in zip(firsts.tolist(), lengths.tolist(), strict=True):
            memory[start : start + length] = values[:length]


def zeros(num: int) -> np.ndarray:
    """(num,) uint8 zeros, of which only pages that are written to cost time and memory."""
    if num < _LARGE:
        return np.zeros(num, np.uint8)
    flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    return np.frombuffer(mmap.mmap(-1, num, **flags), np.uint8)


def _runs_along(pixels: np.ndarray, room: Room) -> tuple[np.ndarray, np.ndarray]:
    """Of pixels that lie as runs count them."""
    if find_changes := compiled(kernels.find_changes, pixels.size / 4):
        room_for_all = room.marks(len(pixels) + 8)[0]
        num = find_changes(_words(pixels), room_for_all)
        edges = room_for_all[:num].astype(np.int64)
    else:
        bits = pixels.astype(np.bool_, copy=False)
        edges = np.flatnonzero(np.diff(bits, prepend=False))
    if len(edges) % 2:
        edges = np.append(edges, len(pixels))
    return edges[::2], edges[1::2] - edges[::2]


def _words(pixels: np.ndarray) -> np.ndarray:
    """(P,) bytes as aligned uint64, filled up with zeros if they are no multiple of 8."""
    if len(pixels) % 8:
        pixels = np.append(pixels, np.zeros(-len(pixels) % 8, pixels.dtype))
    words = pixels.view(np.uint64)
    return words if words.flags.aligned else words.copy()


def _runs_by_words(
    mask: np.ndarray, room: Room, find_marks: Kernel
) -> tuple[np.ndarray, np.ndarray]:
    height, width = mask.shape
    per_row = -(-width // 8)
    if width % 8 or not mask.flags.c_contiguous:
        filled = np.zeros((height, 8 * per_row), np.uint8)
        filled[:, :width] = mask
        mask = filled
    # At most every second pixel of a column starts a run; one is written beyond them.
    tops, feet = room.marks((height + 1) // 2 * width + 1)
    columns = np.zeros(8 * per_row + 1, np.int64)
    num = find_marks(_words(mask.ravel()), per_row, tops, feet, columns)
    if not num:
        return _NONE, _NONE
    runs = np.empty((2, num), np.int64)
    sort_marks = compiled(kernels.sort_marks, 0)
    assert sort_marks is not None
    num = sort_marks(tops[:num], feet[:num], columns, height, runs)
    return runs[0, :num], runs[1, :num]


def _runs_by_rows(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same in numpy.

    A run starts or ends where a pixel differs from the one above it, so that rows are compared
    as they lie in memory, and only edges are put into the order of columns.
    """
    bits = np.ascontiguousarray(mask).view(np.bool_)
    height = len(bits)
    used = np.flatnonzero(bits.any(axis=1))
    if not len(used):
        return _NONE, _NONE
    top, bottom = int(used[0]), int(used[-1]) + 1
    columns = np.flatnonzero(bits[top:bottom].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    # Bytes above 1 are no proper truths: compared with each other they would differ.
    box = bits[top:bottom, left:right].view(np.uint8) != 0
    changes = np.zeros((bottom - top + 1, right - left), np.bool_)
    changes[0], changes[-1] = box[0], box[-1]
    np.not_equal(box[1:], box[:-1], out=changes[1:-1])
    y, x = np.divmod(np.flatnonzero(changes), right - left)
    edges = np.sort((x + left) * height + (y + top))
    # A column that is set to its foot goes on at the head of the next.
    is_twice = edges[1:] == edges[:-1]
    keep = np.ones(len(edges), np.bool_)
    keep[1:] &= ~is_twice
    keep[:-1] &= ~is_twice
    edges = edges[keep]
    return edges[::2], edges[1::2] - edges[::2]
