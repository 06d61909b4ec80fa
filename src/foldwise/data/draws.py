"""What an augmentation makes of its draws: numbers in a range, or a generator of many more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field

#: Uniform draws in [0, 1) that each augmentation is given.
NUM_DRAWS = 8

Draw = TypeVar("Draw", float, np.ndarray)
Share = Annotated[float, Field(ge=0, le=1)]


def between(draw: Draw, low: float, high: float) -> Draw:
    """The draw, or each of many, in [low, high)."""
    return low + draw * (high - low)


def generator(draws: Sequence[float]) -> np.random.Generator:
    """Any number of further draws, for an augmentation that needs more than its `NUM_DRAWS`.

    All 53 random bits of the first draw seed it, so they depend on what that one depends on.
    """
    return np.random.default_rng(int(draws[0] * 2**53))
