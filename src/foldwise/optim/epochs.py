"""How each epoch reads its images, and how far training has come: progressive resizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foldwise.optim.schedule import Stage


@dataclass(frozen=True)
class Epoch:
    """One epoch of a schedule.

    Attributes:
        size: side of the training images, pixels.
        augment: whether they are augmented.
        progress: 0 in the first epoch, 1 in the last.
    """

    size: int
    augment: bool = True
    progress: float = 0.0


def epochs_of(stages: Sequence[Stage], sizes: Sequence[int], full: int) -> tuple[Epoch, ...]:
    """The epochs of a schedule.

    Args:
        stages: the schedule.
        sizes: sides in near-equal parts of all epochs. Of fewer epochs than sides the last ones
            stay, so that training ends as planned. Empty: each stage's own.
        full: side where nothing else is said.

    Source: Howard (2018), "Training ImageNet in 3 hours for 25 minutes", fast.ai; Tan and Le
    (2021), "EfficientNetV2: Smaller models and faster training", ICML.

    >>> [epoch.size for epoch in epochs_of([Stage(5, "all", 0.1, 0.0)], [64, 96], 128)]
    [64, 64, 96, 96, 96]
    """
    every = [stage for stage in stages for _ in range(stage.epochs)]
    num = len(every)
    found = []
    for index, stage in enumerate(every):
        # Counted from the end, where the last side must stand.
        side = sizes[-1 - (num - 1 - index) * len(sizes) // num] if sizes else stage.size or full
        found.append(Epoch(side, stage.augment, index / max(num - 1, 1)))
    return tuple(found)
