"""A set of views chosen forward: each the one that raises the score of the mean most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from foldwise.stages.scoring.held_out import HeldOut
from foldwise.views import View

#: A view is added for more than this, in the metric: what is less is rounding.
_LEAST_GAIN = 1e-9

#: View, height and width of the sample → (H, W) share of each pixel that was shown; None: all.
Shown = Callable[[View, tuple[int, int]], np.ndarray | None]


class ViewAnswers(Protocol):
    """What a run's networks say of rows that they have not seen, in each view."""

    @property
    def held(self) -> HeldOut:
        """The rows."""

    @property
    def folds(self) -> list[int]:
        """Folds that are there."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of gains should know."""

    def decided(self, views: Sequence[View]) -> HeldOut:
        """The mean of views, each fold decided by what was fitted without it."""

    def crossed(self, sets: Mapping[int, Sequence[View]]) -> HeldOut:
        """Each fold's rows by its own set of views, and by a decision fitted without it."""

    def forward(self, views: Sequence[View], *, without: int | None = None) -> list[View]:
        """Views chosen forward from the first, on all rows or on those outside a fold."""


def chosen_forward(
    views: Sequence[View], goals: Callable[[Sequence[Sequence[View]]], list[float]]
) -> list[View]:
    """Views one after the other, as long as the goal rises.

    Args:
        views: to choose from; the first begins.
        goals: sets → of each what is to be as high as can be.

    Returns:
        The first, and more. Equally good ones: the earlier.
    """
    chosen = [views[0]]
    (best,) = goals([chosen])
    while rest := [view for view in views if view not in chosen]:
        scored = goals([[*chosen, view] for view in rest])
        if max(scored) <= best + _LEAST_GAIN:
            break
        best = max(scored)
        chosen.append(rest[scored.index(best)])
    return chosen
