from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.classes import argmax, thresholds
from foldwise.errors import ConfigError


def test_of_equal_scores_the_first_class_is_taken() -> None:
    assert argmax(np.array([[0.4, 0.4, 0.2], [0.1, 0.45, 0.45]])).tolist() == [0, 1]


def test_a_score_on_its_threshold_counts() -> None:
    scores = np.array([[0.5, 0.49, 0.51]])
    assert thresholds(scores).tolist() == [[1, 0, 1]]
    assert thresholds(scores, values=0.495).tolist() == [[1, 0, 1]]
    assert thresholds(scores, values=[0.6, 0.4, 0.51]).tolist() == [[0, 1, 1]]


def test_thresholds_are_one_or_one_a_class() -> None:
    with pytest.raises(ConfigError, match="2 thresholds for 3 classes"):
        thresholds(np.zeros((1, 3)), values=[0.5, 0.5])
