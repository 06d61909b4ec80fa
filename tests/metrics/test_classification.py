from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from foldwise.metrics.classification import accuracy, balanced_accuracy, macro_f1


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
    f1 = oracle.f1_score(target, preds, average="macro", zero_division=0, **options)
    balanced = oracle.balanced_accuracy_score(target, preds, **options)
    assert accuracy(preds, target, weight) == pytest.approx(
        oracle.accuracy_score(target, preds, **options)
    )
    assert macro_f1(preds, target, weight) == pytest.approx(f1)
    assert balanced_accuracy(preds, target, weight) == pytest.approx(balanced)


@pytest.mark.parametrize("seed", range(5))
def test_columns_match_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random((50, 5)) < 0.3).astype(int)
    preds = np.where(rng.random(target.shape) < 0.2, 1 - target, target)
    preds[:, 4] = target[:, 4] = 0
    weight = rng.random(50)
    f1 = oracle.f1_score(target, preds, average="macro", zero_division=0, sample_weight=weight)
    share = oracle.accuracy_score(target, preds, sample_weight=weight)
    assert macro_f1(preds, target, weight) == pytest.approx(f1)
    assert accuracy(preds, target, weight) == pytest.approx(share)


def test_classes_that_weigh_nothing_do_not_count_in_the_means() -> None:
    preds, target = np.array([0, 1, 2, 5]), np.array([0, 1, 1, 3])
    weight = np.array([1, 1, 1, 0])
    assert balanced_accuracy(preds, target, weight) == pytest.approx((1 + 0.5) / 2)
    assert macro_f1(preds, target, weight) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_scores_are_refused_as_answers() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        accuracy(np.array([0.2, 0.8]), np.array([0, 1]))
    with pytest.raises(ValueError, match="0 or 1"):
        macro_f1(np.array([[0, 2]]), np.array([[0, 1]]))
    with pytest.raises(ValueError, match="found -1"):
        macro_f1(np.array([-1, 1]), np.array([0, 1]))
