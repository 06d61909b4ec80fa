"""The stand-in for Kaggle."""

from tests.platforms.stand_in import kaggle as kaggle
