"""Masks like those of defects on strips of steel: blobs, scratches and bands."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 256, 1600


def draw_masks(num: int, *, seed: int) -> np.ndarray:
    """(num, 256, 1600) uint8 masks, about half of them empty, the others of one to three shapes."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((num, HEIGHT, WIDTH), np.uint8)
    for mask in masks:
        if rng.random() < 0.5:
            for _ in range(rng.integers(1, 4)):
                _SHAPES[rng.integers(len(_SHAPES))](rng, mask)
    return masks


def predict(masks: np.ndarray, *, seed: int) -> np.ndarray:
    """Answers as networks give them: moved a little, some left out, some found in vain."""
    rng = np.random.default_rng(seed)
    invented = draw_masks(len(masks), seed=seed)
    answers = np.zeros_like(masks)
    for number, mask in enumerate(masks):
        if mask.any() and rng.random() < 0.9:
            answers[number] = np.roll(mask, rng.integers(-6, 7, 2), (0, 1))
            answers[number] &= np.roll(mask, rng.integers(-6, 7, 2), (0, 1))
        elif rng.random() < 0.2:
            answers[number] = invented[number]
    return answers


def _blob(rng: np.random.Generator, mask: np.ndarray) -> None:
    y, x = rng.integers(HEIGHT), rng.integers(WIDTH)
    tall, wide = rng.integers(8, 70), rng.integers(8, 120)
    left, right = max(0, x - 2 * wide), min(WIDTH, x + 2 * wide)
    rows, columns = np.mgrid[:HEIGHT, left:right]
    down, across = (rows - y) / tall, (columns - x) / wide
    angle = np.arctan2(down, across)
    waves = rng.uniform(0, 2 * np.pi, 8)
    edge = 1 + sum(0.3 / k * np.sin(k * angle + wave) for k, wave in enumerate(waves, start=1))
    mask[:, left:right] |= np.hypot(down, across) < edge


def _scratch(rng: np.random.Generator, mask: np.ndarray) -> None:
    length, thick = int(rng.integers(30, 250)), int(rng.integers(2, 7))
    columns = rng.integers(0, WIDTH - length) + np.arange(length)
    steps = np.arange(length)
    rows = rng.integers(HEIGHT) + rng.uniform(-0.6, 0.6) * steps + 3 * np.sin(steps / 9)
    for row, column in zip(rows.astype(int), columns, strict=True):
        mask[max(0, row) : max(0, row + thick), column] = 1


def _band(rng: np.random.Generator, mask: np.ndarray) -> None:
    length, tall = int(rng.integers(20, 300)), int(rng.integers(60, 260))
    first = rng.integers(0, WIDTH - length)
    tops = rng.integers(-40, 120) + np.cumsum(rng.integers(-1, 2, length))
    for column, top in enumerate(tops, start=first):
        mask[max(0, top) : max(0, top + tall), column] = 1


_SHAPES = (_blob, _scratch, _band)
