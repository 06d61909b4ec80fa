"""Memory for masks of one batch after the other, cleared by their runs instead of anew."""

from __future__ import annotations

import numpy as np

from foldwise.masks.pixels import paint, zeros
from foldwise.masks.runs import Runs, views


class Canvas:
    """Decodes batches into the same memory.

    Fresh memory is most of the cost of decoding: the system clears it page by page. Here what one
    batch has set is unset before the next.

    >>> from foldwise.masks.runs import encode
    >>> canvas = Canvas()
    >>> [mask.tolist() for mask in canvas.decode(encode([np.eye(2)]))]
    [[[1, 0], [0, 1]]]
    """

    def __init__(self) -> None:
        self._pixels = zeros(0)
        self._painted = Runs.of([], [])

    def decode(self, runs: Runs) -> list[np.ndarray]:
        """As `runs.decode`, but read-only, and valid only until the next call."""
        old, places = self._painted, runs.places
        if places[-1] > len(self._pixels):
            self._pixels = zeros(int(places[-1]))
            paint(self._pixels, places[:-1], runs.ragged)
        elif np.array_equal(places, old.places):
            paint(self._pixels, places[:-1], runs.ragged, before=old.ragged)
        else:
            paint(self._pixels, old.places[:-1], old.ragged, value=0)
            paint(self._pixels, places[:-1], runs.ragged)
        self._painted = runs
        shown = self._pixels.view()
        shown.flags.writeable = False
        return views(shown, runs)
