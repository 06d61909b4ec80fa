"""Searches for weights: scoring all candidates of a step at once, by running sums and bounds."""

from foldwise.blending.search.climb import Pace, climbed
from foldwise.blending.search.forward import selected, taken_in_turn

__all__ = ["Pace", "climbed", "selected", "taken_in_turn"]
