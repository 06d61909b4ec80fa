from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from foldwise.masks.runs import encode
from foldwise.metrics.pixel_confusion import pixel_confusion

from .mask_cases import exclusive


def test_counts_are_those_of_scikit_learn() -> None:
    cases = exclusive(seed=3, num=70)
    answers, truths = cases.runs
    expected = np.zeros((4, 4), int)
    for answer, truth in zip(cases.answers, cases.truths, strict=True):
        named = (each.argmax(axis=0).ravel() for each in (truth, answer))
        expected += confusion_matrix(*named, labels=range(4))
    np.testing.assert_array_equal(pixel_confusion(answers, truths, 4), expected)


def test_pixels_of_no_true_class_are_in_no_cell() -> None:
    truth, answer = np.zeros((2, 3, 4), bool), np.zeros((2, 3, 4), bool)
    truth[0, 0] = truth[1, 1] = True
    answer[1] = True
    found = pixel_confusion(encode(answer), encode(truth), 2)
    assert found.tolist() == [[0, 4], [0, 4]]


def test_numbers_of_masks_must_fit() -> None:
    with pytest.raises(ValueError, match="3 answers and 2 truths"):
        pixel_confusion(encode([np.eye(2)] * 3), encode([np.eye(2)] * 2), 1)
