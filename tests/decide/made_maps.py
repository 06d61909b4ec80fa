"""Maps that see more than is there, and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import encode

SIZE = (12, 16)


def made_maps(
    path: Path, num: int, rng: np.random.Generator, *, lifts: tuple[int, int]
) -> tuple[Maps, Masks]:
    """Of two classes maps that find the truth when cut at other levels than a half.

    Args:
        path: of the file of maps.
        num: samples; the truths of each other one, from the first on, are empty.
        rng: to draw with.
        lifts: levels by which what is seen stands out, where it is not there and where it is.
    """
    levels, truths = [], []
    for row in range(num):
        seen = gaussian_filter(rng.standard_normal((2, *SIZE)), (0, 1.5, 1.5)) * 8 > 1.0
        noise = gaussian_filter(rng.standard_normal((2, *SIZE)), (0, 0.7, 0.7))
        levels.append((60 + lifts[row % 2] * seen + 40 * noise).clip(0, 255).astype(np.uint8))
        truths += list(seen if row % 2 else np.zeros_like(seen))
    write_maps(path, 2, ((f"{row:02d}", each) for row, each in enumerate(levels)))
    return read_maps(path)[1], Masks(encode(truths), 2)
