"""How long one unit will take, stage by stage: arithmetic on the rates of its recipe."""

from __future__ import annotations

from dataclasses import dataclass

from foldwise.config.recipe import Recipe
from foldwise.models.second_level import HEADS
from foldwise.parts import name_of
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.phases import names, phases
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.unit import Unit
from foldwise.views import num_passes

#: What a unit costs beside its images: start, solving the head, writing. Measured 2 to 6 s.
_UNIT_S = 4.0


@dataclass(frozen=True)
class Part:
    """Epochs of a unit that take the same time.

    Attributes:
        name: what trains, in words.
        seconds: of one epoch, with the scores of the held-out rows after it.
        epochs: at least 1.
    """

    name: str
    seconds: float
    epochs: int


@dataclass(frozen=True)
class Forecast:
    """How long a unit will take.

    Attributes:
        parts: its epochs.
        beside: seconds of its start, its solved head and its scores.

    >>> print(Forecast((Part("head", 60.0, 5), Part("all", 180.0, 40)), 12.0))
    head 1 min 00 s x 5 + all 3 min 00 s x 40 + 12 s for start and scores = 2 h 05 min
    """

    parts: tuple[Part, ...]
    beside: float

    @property
    def seconds(self) -> float:
        """Of the whole unit."""
        return sum(part.seconds * part.epochs for part in self.parts) + self.beside

    def __str__(self) -> str:
        words = [f"{part.name} {_fine(part.seconds)} x {part.epochs}" for part in self.parts]
        words.append(f"{_fine(self.beside)} for start and scores")
        return f"{' + '.join(words)} = {duration(self.seconds)}"


def _fine(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 9.5 else duration(seconds)


def forecast(
    recipe: Recipe,
    rates: Rates,
    epochs: int,
    *,
    num_train: int,
    num_valid: int,
    num_test: int,
) -> Forecast:
    """How long a unit will take, features already there.

    Args:
        recipe: resolved.
        rates: of it.
        epochs: of its schedule, which may be shortened.
        num_train: rows it trains on.
        num_valid: rows that are held out.
        num_test: test rows.
    """
    if recipe.head is not None:
        head = HEADS[name_of(recipe.head)].seconds(num_train)
        images = num_train + num_valid + num_test
        return Forecast((), _UNIT_S + images / rates.infer + head)
    if recipe.freeze == "backbone":
        return Forecast((), _UNIT_S + epochs * num_train * 1e-4)
    found = phases(recipe, epochs) if epochs else ()
    parts = tuple(
        Part(name, num_train / rates.of(phase.kind) + num_valid / rates.infer, phase.epochs)
        for name, phase in zip(names(found), found, strict=True)
    )
    image_s = num_passes(recipe.views) / rates.infer + rates.image_s
    last = (num_valid + num_test) * image_s
    if recipe.train.norm_update:
        last += num_train / rates.infer
    return Forecast(parts, rates.start_s + _UNIT_S + last)


def unit_forecast(unit: Unit, rates: Rates, epochs: int) -> Forecast:
    """The same of a unit."""
    return forecast(
        unit.recipe,
        rates,
        epochs,
        num_train=unit.num_fitted,
        num_valid=len(unit.valid_rows),
        num_test=len(unit.problem.test),
    )
