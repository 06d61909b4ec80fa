"""How alike two thumbnails are beyond what all images of the data set have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.seeding import key, permutation

_SIDE = 16
#: Levels a pixel of a 16 x 16 thumbnail moves by when a photo is saved again or resized.
_NOISE = 8.0
#: A thumbnail that varies by fewer levels than this is flat: there is no pattern to compare.
_FLAT = 4.0
#: Two flat images are alike when they differ by no more than this many levels.
_FLAT_DIFFERENCE = 1.0
#: The built-in expectation of a photo weighs as much as this many images of the data set.
_PRIOR_IMAGES = 100
_MAX_FITTED = 20_000
_BLOCK = 4096
#: So many pairs are looked at together, and as a whole matrix where it has few idle places.
_DENSE_BLOCK, _DENSE_SHARE = 65_536, 4
#: Of sums in single precision.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Likeness:
    """What images of a data set look like.

    Attributes:
        mean: (256,) float32, the mean 16 x 16 grey thumbnail.
        whitening: (256, D) float32, onto directions in which images differ by about 1.
    """

    mean: np.ndarray
    whitening: np.ndarray


@dataclass(frozen=True)
class Looks:
    """What is compared of some images.

    Attributes:
        thumbs: (N, 32, 32, 3) uint8 of all images.
        rows: (M,) which of them these are.
        unit: (M, D) float32, whitened thumbnails of length 1.
        is_flat: (M,) bool, without a pattern.
        colour: (M, 3) float32, mean levels.
    """

    thumbs: np.ndarray
    rows: np.ndarray
    unit: np.ndarray
    is_flat: np.ndarray
    colour: np.ndarray


def fit_likeness(thumbs: np.ndarray, rows: np.ndarray | None = None) -> Likeness:
    """Learn mean and spread of a data set's thumbnails.

    Photographs of one kind (a retina, a part in its fixture) correlate by 0.99 and are still
    different ones. So directions are scaled down by how much the images differ along them, and
    likeness is read from what is peculiar to an image. Measured at 0.82: all 23 copies of
    `animals-tail` and 26 of `retina28` (all of equal grade), no pair of `fundus-grade` but its 5
    copies, where plain correlation above 0.97 calls over 1,000 pairs of different eyes copies.

    Args:
        thumbs: (N, 32, 32, 3) uint8.
        rows: (M,) those of different content, None: all; more than 20,000 are sampled.
    """
    rows = np.arange(len(thumbs)) if rows is None else rows
    sampled = permutation(key("likeness"), len(rows))[:_MAX_FITTED]
    grey = _grey(thumbs[rows[np.sort(sampled)]])
    weight = len(grey) / (len(grey) + _PRIOR_IMAGES)
    mean = weight * grey.mean(0) + (1 - weight) * 128.0 if len(grey) else np.full(_SIDE**2, 128.0)
    centred = grey - mean
    spread = weight * (centred.T @ centred) / max(len(grey), 1) + (1 - weight) * _prior()
    variances, directions = np.linalg.eigh(spread)
    whitening = directions / np.sqrt(np.maximum(variances, 0.0) + _NOISE**2)
    return Likeness(mean.astype(np.float32), whitening.astype(np.float32))


def looks_of(fitted: Likeness, thumbs: np.ndarray, rows: np.ndarray) -> Looks:
    """What is compared of some images, computed once for all their pairs.

    Args:
        fitted: of the data set.
        thumbs: (N, 32, 32, 3) uint8.
        rows: (M,) positions.
    """
    unit = np.empty((len(rows), fitted.whitening.shape[1]), dtype=np.float32)
    is_flat, colour = np.empty(len(rows), dtype=bool), np.empty((len(rows), 3), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        shown = thumbs[rows[block]]
        grey = _grey(shown)
        white = (grey - fitted.mean) @ fitted.whitening
        unit[block] = white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-6)
        is_flat[block] = grey.std(axis=1) < _FLAT
        colour[block] = shown.mean(axis=(1, 2), dtype=np.float32)
    return Looks(thumbs, rows, unit, is_flat, colour)


def measure_likeness(looks: Looks, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Likeness and difference of pairs of images.

    Args:
        looks: M images.
        pairs: (P, 2) positions in [0, M).

    Returns:
        (P,) likeness in [-1, 1]: the cosine of the whitened thumbnails, near 0 for two images of
        the data set drawn at random; where one of them is flat, 1 if they differ by at most one
        level, else -1. And (P,) mean absolute difference, in levels of 0-255.
    """
    difference = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        first, second = looks.rows[pairs[start : start + _BLOCK]].T
        gap = np.abs(looks.thumbs[first].astype(np.int16) - looks.thumbs[second])
        difference[start : start + _BLOCK] = gap.mean(axis=(1, 2, 3))
    flat = _are_flat(looks, pairs)
    as_flat = np.where(difference <= _FLAT_DIFFERENCE, 1.0, -1.0)
    return np.where(flat, as_flat, _cosines(looks, pairs)), difference


def find_alike(
    looks: Looks, pairs: np.ndarray, *, min_likeness: float, max_difference: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs that are alike; of most others, no pixels are looked at.

    Returns:
        (K,) positions in `pairs`, and their likeness and difference as of `measure_likeness`.
    """
    flat = _are_flat(looks, pairs)
    maybe = np.flatnonzero(flat | (_cosines(looks, pairs) >= min_likeness - _ROUNDING))
    # Images differ by no less than their mean colours do.
    first, second = pairs[maybe].T
    least = np.abs(looks.colour[first] - looks.colour[second]).mean(axis=1) - _ROUNDING
    maybe = maybe[least <= np.where(flat[maybe], _FLAT_DIFFERENCE, max_difference)]
    likeness, difference = measure_likeness(looks, pairs[maybe])
    keep = (likeness >= min_likeness) & (difference <= max_difference)
    return maybe[keep], likeness[keep], difference[keep]


def _cosines(looks: Looks, pairs: np.ndarray) -> np.ndarray:
    """(P,) float32; many pairs among few images at once, by one product of matrices."""
    cosines = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _DENSE_BLOCK):
        block = pairs[start : start + _DENSE_BLOCK]
        (left, row), (right, column) = (_numbered(block[:, k], len(looks.rows)) for k in (0, 1))
        if len(left) * len(right) <= _DENSE_SHARE * len(block):
            found = (looks.unit[left] @ looks.unit[right].T)[row, column]
            cosines[start : start + _DENSE_BLOCK] = found
            continue
        for at in range(0, len(block), _BLOCK):
            first, second = looks.unit[block[at : at + _BLOCK].T]
            cosines[start + at : start + at + len(first)] = (first * second).sum(axis=1)
    return cosines


def _are_flat(looks: Looks, pairs: np.ndarray) -> np.ndarray:
    """(P,) bool, whether one of the two is flat."""
    return np.asarray(looks.is_flat[pairs[:, 0]] | looks.is_flat[pairs[:, 1]])


def _numbered(values: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values in [0, num), and the place of each value among them."""
    occurs = np.zeros(num, dtype=bool)
    occurs[values] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[values]


def _grey(thumbs: np.ndarray) -> np.ndarray:
    """(N, 32, 32, 3) uint8 as (N, 256) float32, by means of 2 x 2 pixels."""
    num, height, width, channels = thumbs.shape
    blocks = thumbs.reshape(num, _SIDE, height // _SIDE, _SIDE, width // _SIDE, channels)
    grey: np.ndarray = blocks.mean(axis=(2, 4, 5), dtype=np.float32).reshape(num, _SIDE**2)
    return grey


def _prior() -> np.ndarray:
    """(256, 256) spread of photographs: 50 levels, correlation falling e-fold in 5 pixels."""
    y, x = np.divmod(np.arange(_SIDE**2), _SIDE)
    distance = np.hypot(y[:, None] - y[None, :], x[:, None] - x[None, :])
    spread: np.ndarray = 50.0**2 * np.exp(-distance / 5.0)
    return spread
