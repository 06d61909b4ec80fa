"""Which symmetry of the square a view comes nearest to, and which symmetries others add up to."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from foldwise.views.table import SYMMETRIES
from foldwise.views.view import View, product

_SQUARE = (64, 64)


def symmetry_of(view: View) -> str:
    """Name of the symmetry that a view shows, whatever else it crops, scales or turns a little.

    >>> from foldwise.views import views_of
    >>> [symmetry_of(view) for view in views_of(["hflip*scale", "rotate"])]
    ['hflip', 'identity']
    """
    shown = _linear(view)
    return max(SYMMETRIES, key=lambda name: float((shown * _linear(SYMMETRIES[name])).sum()))


def generated(names: Iterable[str]) -> set[str]:
    """The symmetries that these add up to, one after the other; with `identity`.

    >>> sorted(generated(["hflip", "vflip"]))
    ['hflip', 'identity', 'rot180', 'vflip']
    """
    found = {"identity", *names}
    while True:
        views = [SYMMETRIES[name] for name in found]
        more = {symmetry_of(product(one, other)) for one in views for other in views}
        if more <= found:
            return found
        found |= more


def _linear(view: View) -> np.ndarray:
    linear: np.ndarray = view.matrix(_SQUARE)[:2, :2]
    return linear
