"""Masks that metrics can score, made from a seed, as pixels and as runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.masks.runs import Runs, encode
from foldwise.metrics.mask_counts import MaskCounts, count_masks


@dataclass(frozen=True)
class Masks:
    """Of each image: (C, H, W) bool answers and truths, (H, W) bool what is not counted."""

    answers: list[np.ndarray]
    truths: list[np.ndarray]
    ignored: list[np.ndarray]

    @property
    def num_classes(self) -> int:
        return len(self.truths[0])

    @property
    def counts(self) -> MaskCounts:
        return count_masks(*self.runs, self.num_classes)

    @property
    def runs(self) -> tuple[Runs, Runs]:
        return runs_of(self.answers), runs_of(self.truths)


def runs_of(images: list[np.ndarray]) -> Runs:
    """Image by image, class by class."""
    return encode([mask for image in images for mask in image])


def overlapping(seed: int = 0, num: int = 12, num_classes: int = 3) -> Masks:
    """Blobs of every size and none, images of unlike sizes; a middle is not counted."""
    rng = np.random.default_rng(seed)
    answers, truths, ignored = [], [], []
    for number in range(num):
        height, width = rng.integers(8, 40, 2)
        truth = np.stack([_blob(rng, height, width) for _ in range(num_classes)])
        answer = np.stack([np.roll(mask, rng.integers(-3, 4, 2), (0, 1)) for mask in truth])
        middle = np.zeros((height, width), bool)
        middle[height // 3 : height // 2, width // 3 : 2 * width // 3] = True
        truth &= ~middle
        # Truths and answers without anything, in every combination.
        truth[0] &= number % 4 > 1
        answer[0] &= bool(number % 2)
        answers.append(answer)
        truths.append(truth)
        ignored.append(middle)
    return Masks(answers, truths, ignored)


def exclusive(seed: int = 0, num: int = 8, num_classes: int = 4) -> Masks:
    """Classes that share the pixels among them, a fifth of these wrong; class 3 is rare."""
    rng = np.random.default_rng(seed)
    answers, truths = [], []
    for number in range(num):
        height, width = rng.integers(8, 20, 2)
        truth = np.sort(rng.integers(0, num_classes - (number > 0), (height, width)), axis=1)
        wrong = rng.random(truth.shape) < 0.2
        answer = np.where(wrong, rng.integers(0, num_classes - 1, truth.shape), truth)
        truths.append(truth == np.arange(num_classes)[:, None, None])
        answers.append(answer == np.arange(num_classes)[:, None, None])
    return Masks(answers, truths, [np.zeros(each.shape[1:], bool) for each in truths])


def _blob(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    radius = rng.uniform(0.05, 0.5) * min(height, width)
    return np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width)) < radius
