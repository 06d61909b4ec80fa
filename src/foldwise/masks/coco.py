"""COCO's counts of pixels, as lists and as compressed strings: read and written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.masks import text_kernels
from foldwise.masks.compiling import compiled
from foldwise.masks.runs import Runs, join

Name = Callable[[int], str]

# A character holds five bits and whether more follow; the highest bit of the last is the sign.
_FIRST, _BITS, _MORE, _SIGN, _LOW = 48, 5, 32, 16, 31
_MOST_CHARACTERS = 12


def read_compressed(
    texts: Sequence[str | bytes],
    heights: np.ndarray,
    widths: np.ndarray,
    *,
    name: Name = "mask {}".format,
) -> Runs:
    """The masks of COCO's compressed `counts`.

    Args:
        texts: N strings.
        heights: (N,) int pixels.
        widths: (N,) int pixels.
        name: says which mask it is, from its position.

    Raises:
        DataError: strings that are not such counts, or whose counts do not add up to the image.

    Source: `rleFrString` in cocodataset/cocoapi, common/maskApi.c.

    >>> read_compressed(["132"], np.array([2]), np.array([3])).starts.tolist()
    [1]
    """
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    sizes = np.array([len(text) for text in data], np.int64)
    digits = np.frombuffer(b"".join(data), np.uint8).astype(np.int64) - _FIRST
    owners = np.repeat(np.arange(len(data)), sizes)
    is_last = (digits & _MORE) == 0
    is_first = np.ones(len(digits), np.bool_)
    is_first[1:] = is_last[:-1] | (owners[1:] != owners[:-1])
    heads = np.flatnonzero(is_first)
    place = np.arange(len(digits)) - np.repeat(heads, np.diff(heads, append=len(digits)))
    is_wrong = (digits < 0) | (digits >= 2 * _MORE) | (place >= _MOST_CHARACTERS)
    # A value that ends with its string, but says that more follows.
    is_wrong[np.cumsum(sizes)[sizes > 0] - 1] |= ~is_last[np.cumsum(sizes)[sizes > 0] - 1]
    if is_wrong.any():
        rows = np.unique(owners[is_wrong]).tolist()
        raise DataError(
            *limited([f"{name(row)}: {data[row][:40]!r} is no compressed counts" for row in rows])
        )
    shifted = (digits & _LOW) << (_BITS * place)
    values = np.add.reduceat(shifted, heads)
    tails = np.append(heads, len(digits))[1:] - 1
    values -= np.where(digits[tails] & _SIGN, 1 << (_BITS * (place[tails] + 1)), 0)
    return _from_counts(_undo_steps(values, owners[heads]), owners[heads], heights, widths, name)


def write_compressed(runs: Runs) -> list[str]:
    """Each mask as COCO's compressed `counts`, the very string that pycocotools gives."""
    if not len(runs):
        return []
    if write_strings := compiled(text_kernels.write_strings, 250 * len(runs.starts)):
        text = np.empty(26 * len(runs.starts) + 13 * len(runs), np.uint8)
        ends = np.empty(len(runs), np.int64)
        write_strings(*runs.ragged, runs.heights * runs.widths, text, ends)
        return _split(text[: ends[-1]], np.concatenate([[0], ends]))
    return _split(*_strings(runs))


def _strings(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """The characters of all strings, and (N + 1,) where each begins."""
    counts, offsets = _counts(runs)
    place = np.arange(len(counts)) - np.repeat(offsets[:-1], np.diff(offsets))
    values = counts.copy()
    later = np.flatnonzero(place > 2)
    values[later] -= counts[later - 2]
    columns, used = [], []
    goes_on = np.ones(len(values), np.bool_)
    while goes_on.any():
        digit = values & _LOW
        values = values >> _BITS
        used.append(goes_on)
        goes_on = goes_on & np.where(digit & _SIGN, values != -1, values != 0)
        columns.append(digit + _MORE * goes_on + _FIRST)
    is_used = np.stack(used, axis=1)
    text = np.stack(columns, axis=1)[is_used].astype(np.uint8)
    return text, np.concatenate([[0], np.cumsum(is_used.sum(axis=1))])[offsets]


def _split(text: np.ndarray, edges: np.ndarray) -> list[str]:
    letters = text.tobytes().decode("ascii")
    return [letters[low:high] for low, high in itertools.pairwise(edges.tolist())]


def read_counts(
    counts: Sequence[Sequence[int]],
    heights: np.ndarray,
    widths: np.ndarray,
    *,
    name: Name = "mask {}".format,
) -> Runs:
    """The masks of COCO's lists: pixels that are not set, that are, that are not, ...

    Raises:
        DataError: counts below 0, or that do not add up to the image.

    >>> read_counts([[1, 3, 2]], np.array([2]), np.array([3])).areas.tolist()
    [3]
    """
    lengths = [len(each) for each in counts]
    values = np.concatenate([np.empty(0, np.int64), *(np.asarray(each) for each in counts)])
    owners = np.repeat(np.arange(len(counts)), lengths)
    return _from_counts(values.astype(np.int64), owners, heights, widths, name)


def write_counts(runs: Runs) -> list[list[int]]:
    """Each mask as COCO's list of counts."""
    counts, offsets = _counts(runs)
    return [part.tolist() for part in np.split(counts, offsets[1:-1])] if len(runs) else []


def _undo_steps(values: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Counts, of which from the fourth on only the difference to the last but one is kept."""
    counts = values.copy()
    place = _places(owners)
    for parity in (0, 1):
        rows = np.flatnonzero((place % 2 == parity) & (place > 0))
        sums = np.cumsum(values[rows])
        # Each string's sums without those of the strings before it.
        is_head = place[rows] == 2 - parity
        heads = np.maximum.accumulate(np.where(is_head, np.arange(len(rows)), 0))
        counts[rows] = sums - (sums - values[rows])[heads]
    return counts


def _places(owners: np.ndarray) -> np.ndarray:
    """The number of each item within its mask; `owners` rise."""
    heads = np.flatnonzero(np.diff(owners, prepend=-1))
    return np.arange(len(owners)) - np.repeat(heads, np.diff(heads, append=len(owners)))


def _from_counts(
    counts: np.ndarray, owners: np.ndarray, heights: np.ndarray, widths: np.ndarray, name: Name
) -> Runs:
    heights, widths = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    sums = np.concatenate([[0], np.cumsum(counts)])
    offsets = np.searchsorted(owners, np.arange(len(heights) + 1))
    totals = sums[offsets[1:]] - sums[offsets[:-1]]
    is_negative = np.bincount(owners[counts < 0], minlength=len(heights)) > 0
    problems = [
        f"{name(row)}: "
        + (
            "a count below 0"
            if is_negative[row]
            else f"counts of {totals[row]} pixels, the image has {heights[row] * widths[row]}"
        )
        for row in np.flatnonzero(is_negative | (totals != heights * widths)).tolist()
    ]
    if problems:
        raise DataError(*limited(problems))
    is_run = (_places(owners) % 2 == 1) & (counts > 0)
    starts = (sums[:-1] - sums[offsets[owners]])[is_run]
    run_counts = np.bincount(owners[is_run], minlength=len(heights))
    places = np.concatenate([[0], np.cumsum(run_counts)])
    return join(Runs(heights, widths, places, starts, counts[is_run]))


def _counts(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """All masks' counts, and (N + 1,) where each mask's begin."""
    gaps = runs.starts.copy()
    goes_on = np.diff(runs.owners, prepend=-1) == 0
    gaps[goes_on] -= runs.ends[np.flatnonzero(goes_on) - 1]
    pairs = np.stack([gaps, runs.lengths], axis=1).ravel()
    last = np.zeros(len(runs), np.int64)
    has_runs = runs.counts > 0
    last[has_runs] = runs.ends[runs.offsets[1:][has_runs] - 1]
    rest = runs.heights * runs.widths - last
    has_rest = (rest > 0) | ~has_runs
    counts = np.insert(pairs, 2 * runs.offsets[1:][has_rest], rest[has_rest])
    return counts, 2 * runs.offsets + np.concatenate([[0], np.cumsum(has_rest)])
