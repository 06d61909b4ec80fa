"""The epochs of a schedule by what they cost: what trains, and on images of which size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foldwise.config.recipe import Recipe
from foldwise.engine.schedules import stages_of
from foldwise.optim.epochs import epochs_of
from foldwise.optim.schedule import Stage, Trainable, shorten

#: A step through all weights against a forward pass: the backward pass takes twice as long.
_BOTH_WAYS = 3.0
_WORDS = {"head_norms": "head and norms"}


@dataclass(frozen=True)
class Kind:
    """Epochs of one kind take the same time.

    Attributes:
        trainable: "head", "head_norms", "last 2" or "all".
        size: side of the images, pixels.
    """

    trainable: str
    size: int

    @property
    def key(self) -> str:
        """As stored."""
        return f"{self.trainable}@{self.size}"

    @classmethod
    def of_key(cls, key: str) -> Kind:
        """From its key."""
        trainable, _, size = key.rpartition("@")
        return cls(trainable, int(size))

    @property
    def work(self) -> float:
        """Of an image, roughly, in pixels passed forward: tells kinds apart until they are timed.

        >>> Kind("all", 64).work / Kind("head", 32).work
        12.0
        """
        return self.size**2 * (1.0 if self.trainable == "head" else _BOTH_WAYS)


@dataclass(frozen=True)
class Phase:
    """Epochs of one kind in a row.

    Attributes:
        kind: theirs.
        epochs: at least 1.
        stage: of the schedule, the first of those they are from.
    """

    kind: Kind
    epochs: int
    stage: Stage


def phases(recipe: Recipe, epochs: int | None = None) -> tuple[Phase, ...]:
    """A recipe's schedule as epochs of one kind after epochs of another; none without any.

    Args:
        recipe: resolved.
        epochs: of the shortened schedule; None: the whole one.
    """
    if recipe.is_second_level:
        return ()
    stages = stages_of(recipe.train)
    stages = stages if epochs is None else shorten(stages, epochs)
    every = [stage for stage in stages for _ in range(stage.epochs)]
    found: list[Phase] = []
    sides = epochs_of(stages, recipe.train.sizes, recipe.input.size)
    for stage, epoch in zip(every, sides, strict=True):
        kind = Kind(_name(stage.trainable), epoch.size)
        if found and found[-1].kind == kind:
            found[-1] = Phase(kind, found[-1].epochs + 1, found[-1].stage)
        else:
            found.append(Phase(kind, 1, stage))
    return tuple(found)


def kinds(recipe: Recipe, epochs: int | None = None) -> tuple[Kind, ...]:
    """The kind of each epoch; arguments as of `phases`."""
    return tuple(phase.kind for phase in phases(recipe, epochs) for _ in range(phase.epochs))


def names(found: Sequence[Phase]) -> list[str]:
    """Phases in words; their sizes where there are several."""
    sizes = {phase.kind.size for phase in found}
    words = []
    for phase in found:
        name = phase.kind.trainable
        name = _WORDS.get(name, f"{name} blocks" if name.startswith("last") else name)
        words.append(name if len(sizes) == 1 else f"{name} at {phase.kind.size} px")
    return words


def _name(trainable: Trainable) -> str:
    if isinstance(trainable, Mapping):
        return f"last {trainable['last']}"
    return trainable
