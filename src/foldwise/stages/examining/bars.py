"""Numbers as a line of bars for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BARS = "▁▂▃▄▅▆▇█"


def drawn(values: Sequence[float] | np.ndarray) -> str:
    """One bar a value, from the least to the most of them.

    >>> drawn([0.0, 1.0, 0.5])
    '▁█▅'
    """
    found = np.asarray(values, dtype=np.float64)
    spread = float(found.max() - found.min()) or 1.0
    levels = ((found - found.min()) / spread * (len(_BARS) - 1)).round().astype(int)
    return "".join(_BARS[level] for level in levels)
