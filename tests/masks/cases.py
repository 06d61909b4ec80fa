"""Masks of all kinds, and the usual snippets that code and decode them, as oracles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

Kind = Callable[[np.random.Generator, int, int], np.ndarray]


def pixel(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[rng.integers(height), rng.integers(width)] = 1
    return mask


def row(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[rng.integers(height)] = 1
    return mask


def column(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[:, rng.integers(width)] = 1
    return mask


def blobs(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    smooth = ndimage.gaussian_filter(rng.random((height, width)), 1.5)
    return (smooth > np.quantile(smooth, rng.uniform(0.3, 0.95))).astype(np.uint8)


def noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return (rng.random((height, width)) < rng.choice([0.02, 0.5, 0.98])).astype(np.uint8)


def corners(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[0, 0] = mask[-1, -1] = mask[0, -1] = mask[-1, 0] = 1
    return mask


KINDS: dict[str, Kind] = {
    "empty": lambda rng, height, width: np.zeros((height, width), np.uint8),
    "full": lambda rng, height, width: np.ones((height, width), np.uint8),
    "pixel": pixel,
    "row": row,
    "column": column,
    "blobs": blobs,
    "noise": noise,
    "corners": corners,
}


def generate(num: int, seed: int = 0, *, most: int = 40) -> list[np.ndarray]:
    """Masks of all kinds in turn; sizes at random, one in five a single row or column."""
    rng = np.random.default_rng(seed)
    masks = []
    for number in range(num):
        height, width = rng.integers(1, most + 1, 2).tolist()
        if (line := rng.integers(10)) < 2:
            height, width = (1, width) if line else (height, 1)
        kind = list(KINDS.values())[number % len(KINDS)]
        masks.append(kind(rng, height, width))
    return masks


def usual_encode(mask: np.ndarray) -> str:
    pixels = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(number) for number in runs)


def usual_decode(text: str, height: int, width: int) -> np.ndarray:
    numbers = np.asarray(text.split(), dtype=int)
    pixels = np.zeros(height * width, np.uint8)
    for start, length in zip(numbers[::2] - 1, numbers[1::2], strict=True):
        pixels[start : start + length] = 1
    return pixels.reshape(width, height).T
