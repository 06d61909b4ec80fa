"""Masks drawn over images: what is right, false and missed, at any size without losing a pixel."""

from __future__ import annotations

import numpy as np
from PIL import Image

from foldwise.data.boxes import Box
from foldwise.masks.runs import decode, encode
from foldwise.masks.shapes import keep_largest

#: Kinds of pixels. Where several fall into one pixel of a smaller picture, the last of them shows.
NONE, UNCOUNTED, RIGHT, FALSE, MISSED = range(5)
#: Colours that people with any kind of colour vision tell apart. Source: Okabe and Ito (2008),
#: "Color Universal Design".
COLOURS = np.array([(0, 0, 0), (0, 0, 0), (0, 114, 178), (213, 94, 0), (240, 228, 66)], np.uint8)
#: How much of the image is covered inside; edges are covered whole.
_STRENGTH = np.array([0.0, 0.55, 0.4, 0.5, 0.5])
#: Least side of what is shown around something, pixels, and how many times its own side that is.
_LEAST_SIDE, _ROOM = 48, 2.5
#: Beyond this share of the image, all of it is shown instead.
_MOST = 0.6
#: A part shown is at most so many times as wide as high, or the reverse, as far as the image is.
_ASPECT = 2.0


def error_kinds(
    truth: np.ndarray, answer: np.ndarray, ignored: np.ndarray | None = None
) -> np.ndarray:
    """(H, W) uint8 kind of each pixel.

    Args:
        truth: (H, W) bool.
        answer: (H, W) bool.
        ignored: (H, W) bool, what is not counted; None: all is.
    """
    kinds = np.full(truth.shape, NONE, np.uint8)
    kinds[truth & answer] = RIGHT
    kinds[~truth & answer] = FALSE
    kinds[truth & ~answer] = MISSED
    if ignored is not None:
        kinds[ignored] = UNCOUNTED
    return kinds


def window(focus: np.ndarray) -> Box:
    """The part of an image around the largest thing in it; all of it where that is most of it.

    Args:
        focus: (H, W) bool, of which at least one pixel is set.
    """
    (largest,) = decode(keep_largest(encode([focus])))
    rows, columns = (np.flatnonzero(largest.any(axis=axis)) for axis in (1, 0))
    down, across = (max(_LEAST_SIDE, _ROOM * (at[-1] - at[0] + 1)) for at in (rows, columns))
    down, across = max(down, across / _ASPECT), max(across, down / _ASPECT)
    height, width = min(round(down), len(focus)), min(round(across), focus.shape[1])
    if height * width > _MOST * focus.size:
        return Box(0, 0, *focus.shape)
    top, left = _start(rows, height, len(focus)), _start(columns, width, focus.shape[1])
    return Box(top, left, height, width)


def fitted(height: int, width: int, most_high: int, most_wide: int) -> tuple[int, int]:
    """The largest height and width of the same shape within bounds; at least a pixel each.

    >>> fitted(256, 1600, 170, 340)
    (54, 340)
    """
    scale = min(most_high / height, most_wide / width)
    return max(1, round(scale * height)), max(1, round(scale * width))


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 of an image (H, W, 3) uint8."""
    if pixels.shape[:2] == (height, width):
        return pixels
    kind = Image.Resampling.BICUBIC if height > len(pixels) else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), kind))


def resized_kinds(kinds: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) uint8 of kinds (H, W): of the pixels that become one, the worst."""
    found = _along(_along(kinds, height).T, width).T
    return np.ascontiguousarray(found)


def marked(pixels: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the image under the colours of its kinds, their edges in full.

    Args:
        pixels: (H, W, 3) uint8.
        kinds: (H, W) uint8.
    """
    strength = _STRENGTH[kinds]
    strength[_edges(kinds) & (kinds > UNCOUNTED)] = 1.0
    mixed = (1 - strength[:, :, None]) * pixels + strength[:, :, None] * COLOURS[kinds]
    found: np.ndarray = mixed.round().astype(np.uint8)
    return found


def framed(pixels: np.ndarray, box: Box) -> np.ndarray:
    """(H, W, 3) uint8 with a white frame on black around a part."""
    found = pixels.copy()
    bottom, right = box.top + box.height, box.left + box.width
    # White last: at the edge of the picture all three fall into one line.
    for inset, colour in ((-2, 0), (0, 0), (-1, 255)):
        top, left = max(box.top + inset, 0), max(box.left + inset, 0)
        low, far = min(bottom - inset, len(found)), min(right - inset, found.shape[1])
        found[[top, low - 1], left:far] = colour
        found[top:low, [left, far - 1]] = colour
    return found


def scaled(box: Box, height: int, width: int, to: tuple[int, int]) -> Box:
    """The part of an image in another size of it.

    Args:
        box: in the image.
        height: of the image.
        width: the same.
        to: the other height and width.
    """
    down, across = to[0] / height, to[1] / width
    top, left = round(box.top * down), round(box.left * across)
    return Box(top, left, max(1, round(box.height * down)), max(1, round(box.width * across)))


def _start(inside: np.ndarray, side: int, whole: int) -> int:
    """Where a stretch of `side` begins that has what is inside in its middle."""
    middle = (inside[0] + inside[-1] + 1) / 2
    return int(min(max(round(middle - side / 2), 0), whole - side))


def _along(kinds: np.ndarray, num: int) -> np.ndarray:
    """As many rows as wanted, by repeating them or taking the highest of several."""
    at = np.arange(num) * len(kinds) // num
    if num >= len(kinds):
        return kinds[at]
    found: np.ndarray = np.maximum.reduceat(kinds, at, axis=0)
    return found


def _edges(kinds: np.ndarray) -> np.ndarray:
    """(H, W) bool, pixels beside one of another kind."""
    found = np.zeros(kinds.shape, np.bool_)
    down, across = kinds[1:] != kinds[:-1], kinds[:, 1:] != kinds[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= across
    found[:, :-1] |= across
    return found
