from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.classes import argmax, second_share, threshold, thresholds
from foldwise.errors import ConfigError, DataError


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


def test_the_share_of_the_second_of_two_decides() -> None:
    scores = np.array([[0.25, 0.75], [3.0, 1.0], [0.5, 0.5], [0.0, 2.0]])
    assert second_share(scores).tolist() == [0.75, 0.25, 0.5, 1.0]
    assert threshold(scores).tolist() == [1, 0, 1, 1]
    assert threshold(scores, value=0.25).tolist() == [1, 1, 1, 1]
    assert threshold(scores, value=0.9).tolist() == [0, 0, 0, 1]


def test_scores_without_shares_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"two classes, found shape \(1, 3\)"):
        threshold(np.ones((1, 3)))
    for bad in ([0.0, 0.0], [-0.1, 0.5]):
        with pytest.raises(DataError, match="row 1 has"):
            threshold(np.array([[0.5, 0.5], bad]))
