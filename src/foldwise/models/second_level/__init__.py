"""Heads that are fitted on networks' features, kept as plain arrays and evaluated from them."""

from foldwise.models.second_level.table import HEADS, Head

__all__ = ["HEADS", "Head"]
