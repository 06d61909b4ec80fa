"""Reads a learning-rate range test: where the loss begins to fall, falls fastest, and flies off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.stages.examining.bars import drawn

#: Weight of the past in the mean that smooths the losses of single batches.
_SMOOTHING = 0.9
#: The loss has flown off at this many times the largest of its first values.
FLOWN_OFF = 4.0
#: Steps in which the mean has just begun: their slopes mean nothing.
FEWEST_STEPS = 10


@dataclass(frozen=True)
class LrRange:
    """What a range test found.

    Attributes:
        rates: (n,) of the steps, rising.
        losses: (n,) smoothed mean losses.
        steepest: the rate at which the loss falls fastest; None: it never falls.
        highest: the last rate before the loss turns up.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    steepest: float | None
    highest: float

    def drawn(self, width: int = 40) -> str:
        """The losses as bars, from the lowest rate to the highest."""
        places = np.linspace(0, len(self.losses) - 1, min(width, len(self.losses))).round()
        values = np.array(self.losses)[places.astype(int)]
        values = np.minimum(values, 1.5 * values[: max(1, len(values) // 4)].max())
        return drawn(values)


def read_range(rates: Sequence[float], losses: Sequence[float]) -> LrRange:
    """The range test's reading.

    Args:
        rates: (n,) of the steps, rising by a constant factor.
        losses: (n,) mean losses of the steps' batches; finite.

    Source: Smith (2017), "Cyclical learning rates for training neural networks", WACV; the
    smoothed mean and its steepest fall as in fastai's finder.
    """
    smooth = _smoothed(losses)
    lowest = int(np.argmin(smooth))
    if lowest < FEWEST_STEPS:
        return LrRange(tuple(rates), tuple(smooth), None, float(rates[lowest]))
    slopes = np.gradient(smooth, np.log(rates))
    steepest = FEWEST_STEPS + int(np.argmin(slopes[FEWEST_STEPS : lowest + 1]))
    return LrRange(tuple(rates), tuple(smooth), float(rates[steepest]), float(rates[lowest]))


def rising_rates(low: float, high: float, num: int) -> tuple[float, ...]:
    """`num` rates from low to high, each the same factor above the one before.

    >>> [round(rate, 3) for rate in rising_rates(0.001, 0.1, 3)]
    [0.001, 0.01, 0.1]
    """
    factor = (math.log(high) - math.log(low)) / (num - 1)
    return tuple(low * math.exp(factor * step) for step in range(num))


def _smoothed(losses: Sequence[float]) -> np.ndarray:
    """The moving average, corrected for its start at 0."""
    means, mean = [], 0.0
    for step, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        means.append(mean / (1 - _SMOOTHING**step))
    return np.array(means)
