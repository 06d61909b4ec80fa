from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from foldwise.metrics.ranking import (
    class_average_precision,
    class_roc_auc,
    mean_average_precision,
    roc_auc,
    unscored_classes,
)


@st.composite
def ranked_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, a positive and a negative, and weights."""
    num = draw(st.integers(2, 25))
    scores = draw(st.lists(st.integers(0, 5), min_size=num, max_size=num))
    target = draw(st.lists(st.integers(0, 1), min_size=num - 2, max_size=num - 2))
    weight = draw(st.lists(st.floats(0.01, 9), min_size=num, max_size=num))
    return np.array(scores)[:, None] / 5, np.array([*target, 0, 1]), np.array(weight)


@settings(deadline=None, max_examples=100)
@given(ranked_rows())
def test_two_classes_match_scikit_learn(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, target, weight = rows
    auc = oracle.roc_auc_score(target, scores[:, 0], sample_weight=weight)
    precision = oracle.average_precision_score(target, scores[:, 0], sample_weight=weight)
    assert roc_auc(scores, target, weight) == pytest.approx(auc)
    assert mean_average_precision(scores, target, weight) == pytest.approx(precision)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 12])
def test_several_classes_match_scikit_learn(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    target, weight = rng.permutation(np.arange(80) % 4), rng.random(80)
    probs = rng.dirichlet(np.ones(4), 80)
    auc = oracle.roc_auc_score(
        target, probs, multi_class="ovr", average="macro", sample_weight=weight
    )
    assert roc_auc(probs, target, weight) == pytest.approx(auc)
    scores, hot = np.round(probs, decimals), np.eye(4, dtype=int)[target]
    auc = oracle.roc_auc_score(hot, scores, average="macro", sample_weight=weight)
    precision = oracle.average_precision_score(hot, scores, average="macro", sample_weight=weight)
    for truth in (target, hot):
        assert roc_auc(scores, truth, weight) == pytest.approx(auc)
        assert mean_average_precision(scores, truth, weight) == pytest.approx(precision)


def test_two_columns_are_read_by_the_second() -> None:
    scores = np.array([[0.9, 0.1], [0.1, 0.4], [0.7, 0.35], [0.2, 0.8]])
    target = np.array([0, 0, 1, 1])
    assert roc_auc(scores, target) == roc_auc(scores[:, 1:], target) == 0.75


def test_classes_without_positives_or_negatives_are_left_out_and_named() -> None:
    target = np.array([[0, 1, 1], [0, 0, 1], [0, 1, 1], [0, 0, 1]])
    scores = np.array([[0.1, 0.9, 0.2], [0.9, 0.8, 0.3], [0.4, 0.7, 0.1], [0.5, 0.1, 0.4]])
    auc, precision = class_roc_auc(scores, target), class_average_precision(scores, target)
    np.testing.assert_array_equal(np.isnan(auc), [True, False, True])
    np.testing.assert_array_equal(np.isnan(precision), [True, False, False])
    assert roc_auc(scores, target) == auc[1] == 0.75
    assert mean_average_precision(scores, target) == pytest.approx(np.nanmean(precision))
    assert unscored_classes(target, 3) == [0]
    assert unscored_classes(np.array([0, 2, 2]), 4) == [1, 3]


def test_what_is_undefined_in_all_classes_raises() -> None:
    scores = np.array([[0.2], [0.7]])
    with pytest.raises(ValueError, match="positives and negatives"):
        roc_auc(scores, np.array([1, 1]))
    with pytest.raises(ValueError, match="no class has positives"):
        mean_average_precision(scores, np.array([0, 0]))
    with pytest.raises(ValueError, match="positives and negatives"):
        roc_auc(scores, np.array([0, 1]), np.array([1.0, 0.0]))


def test_classes_beyond_the_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        roc_auc(np.ones((2, 3)), np.array([0, 3]))
