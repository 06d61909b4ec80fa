"""Blending: many members' aligned scores into one, and what that is honestly worth."""

from foldwise.blending.blend import Blend
from foldwise.blending.goal import Answer, Goal
from foldwise.blending.members import Members, votes
from foldwise.blending.methods import BLENDS

__all__ = ["BLENDS", "Answer", "Blend", "Goal", "Members", "votes"]
