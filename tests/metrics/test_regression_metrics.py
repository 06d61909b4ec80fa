from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from foldwise.metrics.regression import mae, rmse


@pytest.mark.parametrize("seed", range(5))
def test_errors_match_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    preds, target, weight = rng.normal(size=(3, 70))
    weight = np.abs(weight)
    absolute = oracle.mean_absolute_error(target, preds, sample_weight=weight)
    squared = oracle.root_mean_squared_error(target, preds, sample_weight=weight)
    assert mae(preds, target, weight) == pytest.approx(absolute)
    assert rmse(preds, target, weight) == pytest.approx(squared)


def test_grades_are_numbers_too() -> None:
    assert mae(np.array([0, 4]), np.array([1, 1])) == 2
    assert rmse(np.array([0, 4]), np.array([1, 1])) == pytest.approx(np.sqrt(5))
