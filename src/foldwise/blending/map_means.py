"""The mean of maps by weight, as a value and JSON: it is read sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from foldwise.blending.blend import Blend
from foldwise.errors import DataError
from foldwise.maps.maps import Maps, mean


@dataclass(frozen=True)
class MapMean:
    """Members' maps averaged; nothing is fitted.

    Attributes:
        weights: M that sum to 1, the share of each member.
        takes: what is mixed.
    """

    weights: tuple[float, ...]
    takes: Literal["maps"] = field(default="maps", init=False)

    def apply(self, members: Sequence[Maps]) -> Maps:
        """The mean of maps of the same samples, each read when its sample is.

        Raises:
            DataError: another number of members, or the maps of a sample differ in size.
        """
        if len(members) != len(self.weights):
            raise DataError(f"mean of {len(self.weights)} maps, found {len(members)}")
        try:
            return mean(members, self.weights)
        except ValueError as error:
            raise DataError(f"these maps have no mean: {error}") from None

    def among(self, places: Sequence[int]) -> MapMean | None:
        """The mean of some of the members, by their weights among these; None: they have none."""
        weights = [self.weights[place] for place in places]
        total = sum(weights)
        if total <= 0:
            return None
        return replace(self, weights=tuple(weight / total for weight in weights))

    def to_json(self) -> dict[str, Any]:
        """What `blend_from_json` reads."""
        return {"takes": self.takes, "weights": list(self.weights)}


def blend_from_json(value: Mapping[str, Any]) -> Blend | MapMean:
    """The blend that `to_json` of either wrote.

    Raises:
        DataError: no blend of this format.
    """
    if value.get("takes") != "maps":
        return Blend.from_json(value)
    try:
        return MapMean(tuple(float(weight) for weight in value["weights"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a mean of maps: {type(error).__name__} {error}") from None
