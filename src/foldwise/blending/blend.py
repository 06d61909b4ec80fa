"""A fitted blend: what turns members' scores of any rows into one score, as a value and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from foldwise.blending.finish import Finish
from foldwise.blending.members import Members
from foldwise.blending.mixes import Mean, Mix, mix_from_json
from foldwise.blending.scales import Plain, Scale, scale_from_json
from foldwise.errors import DataError

_FORMAT = 2
_AS_THEY_ARE = Plain()
_BY_WEIGHT = Mean()
_AS_IT_IS = Finish()


@dataclass(frozen=True)
class Blend:
    """Members brought to a scale, mixed there, brought back and finished; row by row.

    Attributes:
        method: key of `BLENDS` that fitted it.
        weights: M that sum to 1, the share of each member. `Mean` mixes by them, and where some
            are below 0 its finish needs bounds (see `averages.weighted`); other mixes hold more,
            and these sum it up for tables.
        scale: what members' scores become before they are mixed.
        mix: how they are put together.
        finish: what is done to the result.
        notes: sentences on how it was fitted, such as how far it can be from the optimum.
        steered: members that the search went by, though they may weigh nothing; not stored.
    """

    method: str
    weights: tuple[float, ...]
    scale: Scale = _AS_THEY_ARE
    mix: Mix = _BY_WEIGHT
    finish: Finish = _AS_IT_IS
    notes: tuple[str, ...] = ()
    steered: tuple[int, ...] = field(default=(), compare=False)

    @property
    def takes(self) -> Literal["scores", "votes"]:
        """What is mixed: members' scores, or their votes."""
        return self.scale.takes

    def apply(self, members: Members) -> np.ndarray:
        """The blended scores, (N, C) float64, of any rows of the members it was fitted to.

        Raises:
            DataError: another number of members, or votes are needed and absent.
        """
        if len(members) != len(self.weights):
            raise DataError(f"{self.method} blend of {len(self.weights)}, found {len(members)}")
        if self.takes == "votes" and members.votes is None:
            raise DataError(f"{self.method} needs the members' decided answers")
        weights = np.array(self.weights)
        mixed = self.mix.of(self.scale.of(members), weights, members)
        return self.finish.of(self.scale.back(mixed, weights))

    def among(self, places: Sequence[int]) -> Blend | None:
        """Some of the members, by their weights among these, where nothing but weights mixes them.

        Args:
            places: of the members that stay.

        Returns:
            None: more than weights was fitted, or these have none.
        """
        is_mean = isinstance(self.scale, Plain) and isinstance(self.mix, Mean)
        weights = [self.weights[place] for place in places]
        total = sum(weights)
        if not is_mean or total <= 0 or min(self.weights) < 0:
            return None
        return replace(self, weights=tuple(weight / total for weight in weights), steered=())

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "format": _FORMAT,
            "method": self.method,
            "weights": list(self.weights),
            "scale": {"name": self.scale.name, **self.scale.to_json()},
            "mix": {"name": self.mix.name, **self.mix.to_json()},
            "finish": self.finish.to_json(),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Blend:
        """The blend that `to_json` wrote.

        Raises:
            DataError: not a blend of this format.
        """
        try:
            if value["format"] != _FORMAT:
                raise DataError(
                    f"blend of format {value['format']!r}, this reads {_FORMAT}",
                    remedy="make it again: run `foldwise blend` with the same members",
                )
            return cls(
                method=str(value["method"]),
                weights=tuple(float(weight) for weight in value["weights"]),
                scale=scale_from_json(value["scale"]),
                mix=mix_from_json(value["mix"]),
                finish=Finish.from_json(value["finish"]),
                notes=tuple(str(note) for note in value["notes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a blend: {type(error).__name__} {error}") from None
