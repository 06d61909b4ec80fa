from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from foldwise.metrics.per_class import confusion_matrix, per_class, precision_recall_curves
from foldwise.metrics.ranking import class_average_precision


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.permutation(np.arange(60) % 4)
    preds = np.where(rng.random(60) < 0.4, rng.integers(0, 4, 60), target)
    return preds, target, rng.random(60)


@pytest.mark.parametrize("seed", range(3))
def test_confusion_and_shares_match_scikit_learn(seed: int) -> None:
    preds, target, weight = rows(seed)
    confusion = oracle.confusion_matrix(target, preds, sample_weight=weight)
    np.testing.assert_allclose(confusion_matrix(preds, target, weight), confusion)
    table = per_class(preds, target, weight)
    expected = oracle.precision_recall_fscore_support(target, preds, sample_weight=weight)
    for found, wanted in zip(
        (table.precision, table.recall, table.f1, table.support), expected, strict=True
    ):
        np.testing.assert_allclose(found, wanted)


def test_columns_and_their_classes_agree() -> None:
    preds, target, weight = rows(5)
    hot = np.eye(4, dtype=int)
    by_class = per_class(preds, target, weight)
    by_column = per_class(hot[preds], hot[target], weight)
    for name in ("precision", "recall", "f1", "support"):
        np.testing.assert_allclose(getattr(by_class, name), getattr(by_column, name))


def test_what_a_class_has_no_rows_for_is_nan() -> None:
    table = per_class(np.array([0, 0]), np.array([0, 1]), num_classes=3)
    np.testing.assert_array_equal(table.precision, [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(table.recall, [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(table.f1, [2 / 3, 0.0, np.nan])
    np.testing.assert_array_equal(table.support, [1, 1, 0])


@pytest.mark.parametrize("seed", range(3))
def test_curves_match_scikit_learn_and_hold_the_average_precision(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, weight = rng.permutation(np.arange(50) % 3), rng.random(50)
    scores = np.round(rng.random((50, 3)), 1)
    curves = precision_recall_curves(scores, target, weight)
    areas = class_average_precision(scores, target, weight)
    for c, curve in enumerate(curves):
        assert curve is not None
        precision, recall, thresholds = oracle.precision_recall_curve(
            target == c, scores[:, c], sample_weight=weight
        )
        np.testing.assert_allclose(curve.thresholds, thresholds[::-1])
        np.testing.assert_allclose(curve.precision, precision[:-1][::-1])
        np.testing.assert_allclose(curve.recall, recall[:-1][::-1])
        area = (np.diff(curve.recall, prepend=0) * curve.precision).sum()
        assert area == pytest.approx(areas[c])


def test_a_class_without_positives_has_no_curve() -> None:
    curves = precision_recall_curves(np.ones((3, 2)), np.array([0, 0, 1]), np.array([1, 1, 0]))
    assert curves[0] is not None
    assert curves[1] is None
