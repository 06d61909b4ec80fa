"""What a short trial of a recipe found: plain values that cross the process border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from foldwise.stages.examining.bound import Failure
from foldwise.stages.scheduling.rates import Rates

#: A batch is learned by heart when its loss is below this share of what blind guessing gets.
LEARNED_SHARE = 0.5
#: Fewer steps than this say nothing against a network.
FEWEST_STEPS = 12


@dataclass(frozen=True)
class BlockFlow:
    """What of the gradient reaches a block.

    Attributes:
        name: as in the network.
        relative: largest norm of its gradient in a few steps, against that of its weights.
    """

    name: str
    relative: float


@dataclass(frozen=True)
class Overfit:
    """An attempt to learn one batch by heart.

    Attributes:
        lr: rate.
        losses: mean loss of the batch before each step.
        blind: the least loss that one answer for all images has.
        dead: weights or whole blocks that should train and only ever had a gradient of zeros.
        flow: of each block that trains, from the input on.
        problem: why it broke off, else "".
        ran_out: whether the time was up before the last step.
    """

    lr: float
    losses: tuple[float, ...]
    blind: float
    dead: tuple[str, ...] = ()
    flow: tuple[BlockFlow, ...] = ()
    problem: str = ""
    ran_out: bool = False

    @property
    def is_learned(self) -> bool:
        """Whether the loss fell far enough."""
        return bool(self.losses) and min(self.losses) < LEARNED_SHARE * self.blind

    @property
    def is_open(self) -> bool:
        """Whether the time was up before it could be told."""
        if self.is_learned or self.problem or not self.ran_out:
            return False
        falls = self.losses[-1] < 0.9 * self.losses[0]
        return len(self.losses) < FEWEST_STEPS or falls


@dataclass(frozen=True)
class TrialFacts:
    """What was measured.

    Attributes:
        num_images: of the batch learned by heart.
        chance: loss of equal chances for all classes; None where that means nothing.
        attempts: to learn one batch by heart, at the recipe's rate first; none: only a head
            is solved.
        outputs_finite: whether all outputs are numbers.
        features_differ: whether two images have different features; None: not looked at.
        pixel_mean: (C,) of the normalised images.
        pixel_std: (C,) of the normalised images.
        normalises: the layer by which an own network seems to normalise once more, else "".
        rates: in training by kind of epoch, and in inference.
        num_test: test rows.
        memory: bytes in use: the most that steps reserved on the GPU, or the process's.
        capacity: bytes that there are, of the GPU or of the machine.
        parts: that batches of training had to be cut into since memory ran out; None: it did not.
        device: where.
        filled: key of a side → the side, and that which is computed since the network fills it up.
    """

    num_images: int
    chance: float | None
    attempts: tuple[Overfit, ...]
    outputs_finite: bool
    features_differ: bool | None
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    normalises: str
    rates: Rates
    num_test: int
    memory: int
    capacity: int
    parts: int | None
    device: str
    filled: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tried:
    """What the trial's process gives back.

    Attributes:
        failures: each part that could not be bound.
        facts: None where there was a failure, or the rules had found errors already.
        picture: where the picture of a batch is, else "".
    """

    failures: tuple[Failure, ...] = ()
    facts: TrialFacts | None = None
    picture: str = ""
