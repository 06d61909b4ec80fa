"""As many colours as there are classes, the first ones told apart by any kind of colour vision."""

from __future__ import annotations

import colorsys

import numpy as np

#: Source: Paul Tol (2021), "Colour schemes", the scheme "muted" and the grey of "light".
_FIRST = (
    *((51, 34, 136), (136, 204, 238), (68, 170, 153), (17, 119, 51), (153, 153, 51)),
    *((221, 204, 119), (204, 102, 119), (136, 34, 85), (170, 68, 153), (221, 221, 221)),
)
#: Turning by this share of the circle, no hue comes near another for long.
_TURN = 0.618034


def colours(num: int) -> np.ndarray:
    """(num, 3) uint8, no two alike for up to some hundreds.

    >>> colours(2).tolist()
    [[51, 34, 136], [136, 204, 238]]
    """
    more = [
        colorsys.hsv_to_rgb(k * _TURN % 1, (0.95, 0.6)[k % 2], (0.6, 0.95, 0.75)[k % 3])
        for k in range(max(0, num - len(_FIRST)))
    ]
    found = np.concatenate([np.array(_FIRST), 255 * np.array(more).reshape(-1, 3)])
    return found[:num].round().astype(np.uint8)
