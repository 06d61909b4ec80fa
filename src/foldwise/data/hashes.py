"""Perceptual hashes of images, and exact search for the pairs that lie near each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image

from foldwise.data.decode import Picture, as_picture, preview

_SIDE, _LOW = 32, 8
_SMALL_BUCKET = 64
_BLOCK = 1024
_MAX_PAIRS = 1 << 20

#: Up to so many rows of one hash, all are compared with each other.
MAX_EQUAL = 32_768


def _dct_rows() -> np.ndarray:
    """The first rows of the orthonormal DCT-II of 32 values, (8, 32)."""
    frequency, position = np.arange(_LOW)[:, None], np.arange(_SIDE)[None, :]
    rows: np.ndarray = np.cos(np.pi * frequency * (2 * position + 1) / (2 * _SIDE)) * np.sqrt(
        2 / _SIDE
    )
    rows[0] /= np.sqrt(2)
    return rows


_DCT = _dct_rows()


def phash(picture: Picture) -> int:
    """A 64-bit hash that changes little when the image does: low frequencies against their median.

    Grey, averaged down to 32 x 32, the 8 x 8 lowest DCT coefficients, one bit each, row by row
    from the highest bit: 1 above the median. Equal up to a few bits after recompression and
    resizing; flat images all share one hash.

    Args:
        picture: (H, W, C) uint8 or an opened picture.

    Returns:
        Integer in [0, 2**64).

    Source: Zauner (2010), "Implementation and benchmarking of perceptual image hash functions".
    """
    image = as_picture(picture) if isinstance(picture, np.ndarray) else picture
    grey = preview(image).convert("L")
    small = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    # Rounded, because sums that are zero on paper must not get bits from the last digit.
    low = np.round(_DCT @ small @ _DCT.T, 6)
    return int.from_bytes(np.packbits(low.ravel() > np.median(low)).tobytes(), "big")


def near_pairs(
    hashes: np.ndarray, max_distance: int, *, max_equal: int = MAX_EQUAL
) -> Iterator[np.ndarray]:
    """All pairs of rows whose hashes differ in at most `max_distance` bits, block by block.

    Exact, by the pigeonhole principle: hashes that differ in at most d bits agree on at least one
    of d + 1 slices, so only rows that share a slice are compared. Many hashes that are alike (a
    fixed camera) make a quadratic number of pairs, but never more than a block of them at once.

    Args:
        hashes: (N,) uint64.
        max_distance: bits, 0..63.
        max_equal: of a hash that more rows share (flat images), only the first 1,024 are paired
            with the others; all their pairs would be out of reach.

    Yields:
        (P, 2) int64 rows i < j, P at most about a million; each pair once, in no order.
    """
    hashes = np.asarray(hashes, dtype=np.uint64)
    unique, group = np.unique(hashes, return_inverse=True)
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=len(unique))
    starts = np.cumsum(sizes) - sizes
    yield from _equal_pairs(order, starts, sizes, max_equal)
    if len(unique) > 1 and max_distance > 0:
        members = np.where(sizes > max_equal, np.minimum(sizes, _BLOCK), sizes)
        for near in _unique_pairs(unique, max_distance):
            yield from _spread(near, order, starts, members)


def _equal_pairs(
    order: np.ndarray, starts: np.ndarray, sizes: np.ndarray, max_equal: int
) -> Iterator[np.ndarray]:
    for size in np.unique(sizes[sizes > 1]):
        crowds = order[starts[sizes == size][:, None] + np.arange(size)]
        if size > _SMALL_BUCKET:
            for crowd in crowds:
                yield from _squares(crowd, len(crowd) if size <= max_equal else _BLOCK)
            continue
        first, second = np.triu_indices(size, 1)
        step = _MAX_PAIRS // len(first)
        for top in range(0, len(crowds), step):
            part = crowds[top : top + step]
            yield np.stack([part[:, first].ravel(), part[:, second].ravel()], axis=1)


def _squares(rows: np.ndarray, num_first: int) -> Iterator[np.ndarray]:
    """The first so many rows with every later one."""
    for top in range(0, num_first, _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            first, second = np.meshgrid(
                rows[top : top + _BLOCK], rows[left : left + _BLOCK], indexing="ij"
            )
            pairs = np.stack([first.ravel(), second.ravel()], axis=1)
            yield pairs if left > top else pairs[pairs[:, 0] < pairs[:, 1]]


def _spread(
    near: np.ndarray, order: np.ndarray, starts: np.ndarray, members: np.ndarray
) -> Iterator[np.ndarray]:
    """Pairs of rows from pairs of distinct hashes: the members of one with those of the other."""
    left, right = near[:, 0], near[:, 1]
    counts = members[left] * members[right]
    ends = np.cumsum(counts)
    for start in range(0, int(counts.sum()), _MAX_PAIRS):
        number = np.arange(start, min(start + _MAX_PAIRS, int(ends[-1])))
        pair = np.searchsorted(ends, number, side="right")
        width = members[right[pair]]
        first, second = np.divmod(number - (ends - counts)[pair], width)
        rows = [order[starts[left[pair]] + first], order[starts[right[pair]] + second]]
        yield np.sort(np.stack(rows, axis=1), axis=1)


def _unique_pairs(unique: np.ndarray, max_distance: int) -> Iterator[np.ndarray]:
    num = len(unique)
    slices = _slices(max_distance + 1)
    buckets = [_sorted_slice(unique, shift, mask) for shift, mask in slices]
    compared = sum(int((s.astype(np.int64) * (s - 1) // 2).sum()) for _, _, s in buckets)
    if compared > num * (num - 1) // 2:
        yield from _compare_block(unique, np.arange(num), max_distance)
        return
    for number, bucket in enumerate(buckets):
        for pairs in _compare_slice(unique, *bucket, max_distance):
            # Pairs that agree on an earlier slice too were found there.
            differing = unique[pairs[:, 0]] ^ unique[pairs[:, 1]]
            is_new = np.ones(len(pairs), bool)
            for shift, mask in slices[:number]:
                is_new &= (differing >> shift) & mask != 0
            yield pairs[is_new]


def _slices(num: int) -> list[tuple[np.uint64, np.uint64]]:
    """Shift and mask of each of `num` slices of 64 bits."""
    edges = itertools.pairwise(64 * k // num for k in range(num + 1))
    return [(np.uint64(start), np.uint64((1 << (stop - start)) - 1)) for start, stop in edges]


def _sorted_slice(
    unique: np.ndarray, shift: np.uint64, mask: np.uint64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows sorted by some bits of their hash: order, and start and size of each bucket."""
    bits = (unique >> shift) & mask
    if mask < 1 << 16:
        bits = bits.astype(np.uint16)  # Radix sort.
    order = np.argsort(bits, kind="stable")
    edges = np.flatnonzero(np.diff(bits[order], prepend=~bits[order[0]]))
    return order, edges, np.diff(edges, append=len(order))


def _compare_slice(
    unique: np.ndarray, order: np.ndarray, starts: np.ndarray, sizes: np.ndarray, max_distance: int
) -> Iterator[np.ndarray]:
    for bucket in np.flatnonzero(sizes > _SMALL_BUCKET):
        rows = order[starts[bucket] : starts[bucket] + sizes[bucket]]
        yield from _compare_block(unique, rows, max_distance)
    # All small buckets at once: each row with the one `shift` places further on in its bucket.
    left = np.where(sizes <= _SMALL_BUCKET, sizes - 1, 0)
    place = (
        np.repeat(starts, left) + np.arange(left.sum()) - np.repeat(np.cumsum(left) - left, left)
    )
    last = np.repeat(starts + sizes - 1, left)
    ordered = unique[order]
    for shift in range(1, _SMALL_BUCKET):
        fits = place + shift <= last
        place, last = place[fits], last[fits]
        if len(place) == 0:
            break
        near = np.bitwise_count(ordered[place] ^ ordered[place + shift]) <= max_distance
        hit = place[near]
        yield np.stack([order[hit], order[hit + shift]], axis=1)


def _compare_block(unique: np.ndarray, rows: np.ndarray, max_distance: int) -> Iterator[np.ndarray]:
    """Every row with every other, in squares that fit the processor's cache."""
    hashes = unique[rows]
    for top in range(0, len(rows), _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            distance = np.bitwise_count(
                hashes[top : top + _BLOCK, None] ^ hashes[None, left : left + _BLOCK]
            )
            first, second = np.divmod(np.flatnonzero(distance <= max_distance), distance.shape[1])
            apart = first + top < second + left
            yield np.stack([rows[first[apart] + top], rows[second[apart] + left]], axis=1)
