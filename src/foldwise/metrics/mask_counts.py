"""What metrics of masks read: pixels of each class in each image, counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from foldwise.masks.overlap import intersections
from foldwise.masks.runs import Runs


@dataclass(frozen=True)
class MaskCounts:
    """Pixels of each class in each image that was answered.

    Attributes:
        common: (N, C) int64 pixels that both answer and truth have.
        answered: (N, C) int64 pixels of the answer.
        true: (N, C) int64 pixels of the truth.

    Raises:
        ValueError: shapes differ, or an overlap is larger than what overlaps.
    """

    common: np.ndarray
    answered: np.ndarray
    true: np.ndarray

    def __post_init__(self) -> None:
        shapes = {each.shape for each in (self.common, self.answered, self.true)}
        if len(shapes) > 1 or self.common.ndim != 2:
            raise ValueError(f"counts must have one shape (N, C), found {sorted(shapes)}")
        least, most = np.minimum(self.answered, self.true), np.minimum(self.common, 0)
        if (self.common > least).any() or most.any():
            raise ValueError("counts must be at least 0, and overlaps at most both areas")

    def __len__(self) -> int:
        return len(self.common)

    def __getitem__(self, rows: Any, /) -> Self:
        return replace(
            self, common=self.common[rows], answered=self.answered[rows], true=self.true[rows]
        )

    @property
    def size(self) -> int:
        """Numbers in all."""
        return 3 * self.common.size

    @property
    def union(self) -> np.ndarray:
        """(N, C) int64 pixels that answer or truth has."""
        union: np.ndarray = self.answered + self.true - self.common
        return union


def count_masks(
    answers: Runs, truths: Runs, num_classes: int, ignored: Runs | None = None
) -> MaskCounts:
    """Count what answers and truths have in common, from their runs.

    Args:
        answers: N * C masks, image by image, class by class within it.
        truths: as many, of the same sizes.
        num_classes: C.
        ignored: N masks, or N * C, of what is not counted; None: all is.

    Raises:
        ValueError: numbers or sizes of masks do not fit, or a truth reaches into what is not
            counted.

    >>> from foldwise.masks.runs import encode
    >>> answer, truth = (encode([np.array([row])]) for row in ([1, 1, 0, 1], [0, 1, 1, 1]))
    >>> counts = count_masks(answer, truth, 1)
    >>> counts.common.item(), counts.answered.item(), counts.true.item()
    (2, 3, 3)
    """
    shape = rows_of(answers, truths, num_classes)
    answered = answers.areas
    if ignored is not None:
        answered = answered - intersections(answers, uncounted(ignored, truths, num_classes))
    common = intersections(answers, truths)
    return MaskCounts(*(each.reshape(shape) for each in (common, answered, truths.areas)))


def rows_of(answers: Runs, truths: Runs, num_classes: int) -> tuple[int, int]:
    """N images and C classes.

    Raises:
        ValueError: there are not C masks an image, or not as many answers as truths.
    """
    if len(answers) != len(truths) or num_classes < 1 or len(truths) % num_classes:
        raise ValueError(
            f"{len(answers)} answers and {len(truths)} truths are not {num_classes} an image each"
        )
    return len(truths) // num_classes, num_classes


def uncounted(ignored: Runs, truths: Runs, num_classes: int) -> Runs:
    """What is not counted, a mask for each truth.

    Args:
        ignored: N masks, or N * C.
        truths: N * C masks.
        num_classes: C.

    Raises:
        ValueError: other numbers or sizes of masks, or a truth reaches into it.
    """
    if len(ignored) * num_classes == len(truths):
        ignored = ignored.take(np.repeat(np.arange(len(ignored)), num_classes))
    reaching = np.flatnonzero(intersections(truths, ignored))
    if len(reaching):
        image, number = divmod(int(reaching[0]), num_classes)
        raise ValueError(
            f"the truth of class number {number} in image number {image} reaches into pixels that "
            f"are not counted; so do {len(reaching) - 1} more. Take these out of the truths first"
        )
    return ignored


def joined(parts: Sequence[Any]) -> Any:
    """Counts of several parts of the samples, one after the other.

    Args:
        parts: alike: arrays, or frozen dataclasses whose arrays have a row for each sample.
    """
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    names = [f.name for f in fields(first) if isinstance(getattr(first, f.name), np.ndarray)]
    rows = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(first, **rows)
