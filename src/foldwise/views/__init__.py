"""Test-time augmentation: views of an image, each with its way back for maps and boxes."""

from foldwise.views.table import SYMMETRIES, VIEWS, is_same, num_passes, views_of
from foldwise.views.view import View

__all__ = ["SYMMETRIES", "VIEWS", "View", "is_same", "num_passes", "views_of"]
