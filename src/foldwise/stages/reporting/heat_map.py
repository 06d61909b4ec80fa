"""A heat map of correlations between members, like ones beside each other and framed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
from markupsafe import Markup

from foldwise.stages.reporting.frame import chart
from foldwise.stages.reporting.svg import MINUS, isolated, tag

#: Up to so many members cells hold numbers.
_MAX_WRITTEN = 10
_LEVELS = 12
#: The darkest cell still lets words be read.
_DARKEST = 0.62
_LETTER_PX, _MOST_LETTERS = 6.6, 26
_TOP, _KEY_PX = 18.0, 40.0
_KEY_WIDTH = 110.0


def heat_map(
    correlation: np.ndarray,
    names: Sequence[str],
    clusters: Sequence[int],
    *,
    about: str,
) -> Markup:
    """The map with numbers in the cells where there is room, and the scale of its colour below.

    Args:
        correlation: (M, M) in [-1, 1], rows in the order in which they are drawn; M at least 2.
        names: of the members, in this order.
        clusters: sizes of the clusters, in this order; those of one member get no frame.
        about: for those who do not see it.
    """
    num = len(names)
    side = _side(num)
    left = 30 + _LETTER_PX * min(max(map(len, names)), _MOST_LETTERS)
    end = _TOP + side * num
    low = _lowest(correlation)
    levels = np.ceil((correlation - low) / (1 - low) * _LEVELS - 1e-9).clip(0, _LEVELS).astype(int)
    np.fill_diagonal(levels, -1)
    parts = [
        *_cells(levels, left, side),
        *(_numbers(correlation, left, side) if num <= _MAX_WRITTEN else ()),
        *_frames(clusters, left, side),
        *_names(names, left, side),
        *_key(low, left, end + 14),
    ]
    width = max(left + side * num, left + _KEY_WIDTH) + 8
    return chart(about, *parts, width=width, height=end + _KEY_PX)


def _side(num: int) -> float:
    """Side of a cell."""
    return 30.0 if num <= _MAX_WRITTEN else 20.0 if num <= 20 else 13.0


def _lowest(correlation: np.ndarray) -> float:
    """Where the colours begin: a tenth at or below the lowest correlation, at most 0.9."""
    lowest = float(correlation.min())
    return min(math.floor(10 * lowest + 1e-9) / 10, 0.9)


def _cells(levels: np.ndarray, left: float, side: float) -> list[Markup]:
    """A path per colour: thousands of cells in a few elements."""
    shapes: dict[int, list[str]] = {}
    for i, row in enumerate(levels.tolist()):
        j = 0
        for level, cells in groupby(row):
            length = len(list(cells))
            x, y = left + j * side, _TOP + i * side
            shapes.setdefault(level, []).append(
                f"M{x:.5g} {y:.5g}h{length * side:g}v{side:g}h{-length * side:g}z"
            )
            j += length
    return [
        tag(
            "path",
            d="".join(shape),
            class_="heat" if level >= 0 else "heat self",
            fill_opacity=None if level < 0 else _opacity(level),
        )
        for level, shape in sorted(shapes.items())
    ]


def _opacity(level: int) -> str:
    return f"{0.04 + (_DARKEST - 0.04) * level / _LEVELS:.3f}"


def _numbers(correlation: np.ndarray, left: float, side: float) -> list[Markup]:
    return [
        tag(
            "text",
            f"{value:.2f}".replace("0.", ".", 1).replace("-", MINUS),
            x=left + (j + 0.5) * side,
            y=_TOP + (i + 0.5) * side + 4,
            text_anchor="middle",
            class_="cell",
        )
        for i, row in enumerate((np.round(correlation, 2) + 0.0).tolist())
        for j, value in enumerate(row)
        if i != j
    ]


def _frames(clusters: Sequence[int], left: float, side: float) -> list[Markup]:
    ends = np.cumsum([0, *clusters]).tolist()
    return [
        tag(
            "rect",
            x=left + start * side,
            y=_TOP + start * side,
            width=(end - start) * side,
            height=(end - start) * side,
            class_="framed",
        )
        for start, end in pairwise(ends)
        if end - start > 1
    ]


def _names(names: Sequence[str], left: float, side: float) -> list[Markup]:
    """Number and name of each row, and the number above its column, every fifth where narrow."""
    found = []
    for k, name in enumerate(names):
        short = name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
        middle = _TOP + (k + 0.5) * side + 4
        text = f"{isolated(short)} {k + 1}"
        found.append(tag("text", text, x=left - 6, y=middle, text_anchor="end"))
        if side > 15 or (k + 1) % 5 == 0 or k == 0:
            x = left + (k + 0.5) * side
            found.append(tag("text", str(k + 1), x=x, y=_TOP - 5, text_anchor="middle"))
    return found


def _key(low: float, left: float, top: float) -> list[Markup]:
    step = _KEY_WIDTH / (_LEVELS + 1)
    boxes = [
        tag(
            "rect",
            x=left + level * step,
            y=top,
            width=step,
            height=9,
            class_="heat",
            fill_opacity=_opacity(level),
        )
        for level in range(_LEVELS + 1)
    ]
    words = [
        tag("text", f"{value:g}".replace("-", MINUS), x=x, y=top + 21, text_anchor=anchor)
        for value, x, anchor in ((low, left, "start"), (1.0, left + _KEY_WIDTH, "end"))
    ]
    return [*boxes, *words]
