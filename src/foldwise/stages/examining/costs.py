"""What steps cost by batch and size: fitted to a few short trials, checked on one more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

#: Up to these sides sizes are multiples of 8 and of 16, which patches of transformers divide, and
#: above of 32.
_TINY_PX, _SMALL_PX = 32, 96


@dataclass(frozen=True)
class Cost:
    """Of an optimiser step.

    Attributes:
        batch: images.
        size: of their sides, pixels.
        memory: most bytes in use, of the GPU or of the whole process.
        seconds: median of a few steps after the first.
        device: where.
    """

    batch: int
    size: int
    memory: float
    seconds: float
    device: str


@dataclass(frozen=True)
class CostModel:
    """Memory and seconds as a fixed part, a part per image and a part per pixel.

    Attributes:
        memory: (3,) bytes.
        seconds: (3,).
        device: where it was measured.
    """

    memory: np.ndarray
    seconds: np.ndarray
    device: str

    @classmethod
    def of(cls, trials: Sequence[Cost]) -> CostModel:
        """Fitted so that relative errors are small and no part is negative."""
        terms = np.array([_terms(cost.batch, cost.size) for cost in trials])
        fitted = [
            nnls(terms / values[:, None], np.ones(len(trials)))[0]
            for values in (
                np.array([cost.memory for cost in trials]),
                np.array([cost.seconds for cost in trials]),
            )
        ]
        return cls(fitted[0], fitted[1], trials[0].device)

    def at(self, batch: int, size: int) -> Cost:
        """The forecast for a batch of images of this size."""
        terms = np.array(_terms(batch, size))
        return Cost(
            batch, size, float(terms @ self.memory), float(terms @ self.seconds), self.device
        )

    def largest_batch(self, size: int, memory: float, *, most: int) -> int:
        """Most images of this size whose step fits into so many bytes; 0: none does.

        Args:
            size: of their sides, pixels.
            memory: bytes.
            most: images after which it is not looked further: memory may not grow with them.
        """
        if self.at(most, size).memory <= memory:
            return most
        if self.at(1, size).memory > memory:
            return 0
        fixed, per_image, per_pixel = self.memory
        return int((memory - fixed) / (per_image + per_pixel * size * size))


def _terms(batch: int, size: int) -> tuple[float, float, float]:
    return 1.0, float(batch), float(batch) * size * size


def trial_points(batch: int, size: int) -> tuple[tuple[tuple[int, int], ...], tuple[int, int]]:
    """Where to measure for a recipe's batch and size: the points to fit, and the one to check.

    >>> trial_points(32, 224)
    (((4, 160), (16, 160), (4, 288), (16, 288)), (8, 224))
    """
    most = max(2, min(batch, 16))
    least = max(1, most // 4)
    low, high = (near_size(size, share) for share in (0.72, 1.28))
    corners = tuple((b, s) for s in dict.fromkeys((low, high)) for b in (least, most))
    return corners, (max(1, most // 2), size)


def near_size(size: int, share: float) -> int:
    """A size in proportion that strides of networks divide.

    >>> near_size(224, 0.72), near_size(28, 1.28)
    (160, 40)
    """
    stride = 32 if size > _SMALL_PX else 16 if size > _TINY_PX else 8
    return max(stride, stride * round(size * share / stride))
