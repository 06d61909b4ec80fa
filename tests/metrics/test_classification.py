from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from foldwise.metrics.classification import accuracy, balanced_accuracy, label_accuracy


@st.composite
def weighted_answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    num = draw(st.integers(1, 30))
    numbers = st.lists(st.integers(0, 4), min_size=num, max_size=num)
    weights = st.lists(st.floats(0.01, 9), min_size=num, max_size=num)
    return np.array(draw(numbers)), np.array(draw(numbers)), np.array(draw(weights))


@settings(deadline=None, max_examples=60)
@given(weighted_answers())
@pytest.mark.filterwarnings("ignore:.*")  # scikit-learn's, of single-class inputs.
def test_classes_match_scikit_learn(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    preds, target, weight = rows
    options = {"sample_weight": weight}
    balanced = oracle.balanced_accuracy_score(target, preds, **options)
    assert accuracy(preds, target, weight) == pytest.approx(
        oracle.accuracy_score(target, preds, **options)
    )
    assert balanced_accuracy(preds, target, weight) == pytest.approx(balanced)


@pytest.mark.parametrize("seed", range(5))
def test_columns_match_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random((50, 5)) < 0.3).astype(int)
    preds = np.where(rng.random(target.shape) < 0.2, 1 - target, target)
    preds[:, 4] = target[:, 4] = 0
    weight = rng.random(50)
    share = oracle.accuracy_score(target, preds, sample_weight=weight)
    assert accuracy(preds, target, weight) == pytest.approx(share)


@pytest.mark.parametrize("seed", range(5))
def test_labels_for_themselves_match_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random((50, 4)) < [0.2, 0.4, 0.6, 0.0]).astype(int)
    preds = np.where(rng.random(target.shape) < 0.2, 1 - target, target)
    weight = rng.random(50)
    wrong = oracle.hamming_loss(target, preds, sample_weight=weight)
    assert label_accuracy(preds, target, weight) == pytest.approx(1 - wrong)
    recalls = [
        [
            oracle.recall_score(target[:, c], preds[:, c], pos_label=value, sample_weight=weight)
            for value in (0, 1)
            if (target[:, c] == value).any()
        ]
        for c in range(4)
    ]
    expected = np.mean([np.mean(recall) for recall in recalls])
    assert balanced_accuracy(preds, target, weight) == pytest.approx(expected)


def test_label_accuracy_takes_a_column_per_label() -> None:
    with pytest.raises(ValueError, match="column per label"):
        label_accuracy(np.array([0, 1]), np.array([0, 1]))


def test_classes_that_weigh_nothing_do_not_count_in_the_means() -> None:
    preds, target = np.array([0, 1, 2, 5]), np.array([0, 1, 1, 3])
    weight = np.array([1, 1, 1, 0])
    assert balanced_accuracy(preds, target, weight) == pytest.approx((1 + 0.5) / 2)


def test_scores_are_refused_as_answers() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        accuracy(np.array([0.2, 0.8]), np.array([0, 1]))
    with pytest.raises(ValueError, match="0 or 1"):
        accuracy(np.array([[0, 2]]), np.array([[0, 1]]))
    with pytest.raises(ValueError, match="found -1"):
        balanced_accuracy(np.array([-1, 1]), np.array([0, 1]))
