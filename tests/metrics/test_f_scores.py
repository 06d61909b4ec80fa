from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import metrics as oracle

from foldwise.errors import ConfigError
from foldwise.metrics import METRICS, bind
from foldwise.metrics.classification import accuracy
from foldwise.metrics.f_scores import f_beta, macro_f1

from .test_classification import weighted_answers


@settings(deadline=None, max_examples=60)
@given(weighted_answers())
@pytest.mark.filterwarnings("ignore:.*")  # scikit-learn's, of single-class inputs.
def test_classes_match_scikit_learn(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    preds, target, weight = rows
    options = {"average": "macro", "zero_division": 0, "sample_weight": weight}
    f1 = oracle.f1_score(target, preds, **options)
    f2 = oracle.fbeta_score(target, preds, beta=2.0, **options)
    assert macro_f1(preds, target, weight) == pytest.approx(f1)
    assert f_beta(preds, target, weight, beta=2.0) == pytest.approx(f2)
    micro = f_beta(preds, target, weight, beta=2.0, average="micro")
    assert micro == pytest.approx(accuracy(preds, target, weight))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_columns_and_two_classes_match_scikit_learn(seed: int, beta: float) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random((50, 5)) < 0.3).astype(int)
    preds = np.where(rng.random(target.shape) < 0.2, 1 - target, target)
    preds[:, 4] = target[:, 4] = 0
    weight = rng.random(50)
    options = {"beta": beta, "zero_division": 0, "sample_weight": weight}
    for average in ("macro", "micro"):
        expected = oracle.fbeta_score(target, preds, average=average, **options)
        assert f_beta(preds, target, weight, beta=beta, average=average) == pytest.approx(expected)
    for c in range(5):
        expected = oracle.fbeta_score(target[:, c], preds[:, c], average="binary", **options)
        found = f_beta(preds[:, c], target[:, c], weight, beta=beta, average="binary")
        assert found == pytest.approx(expected)


def test_f_beta_of_1_is_macro_f1() -> None:
    preds, target = np.array([0, 1, 2, 2, 1]), np.array([0, 1, 1, 2, 0])
    assert f_beta(preds, target) == macro_f1(preds, target)


def test_classes_that_weigh_nothing_do_not_count_in_the_mean() -> None:
    preds, target = np.array([0, 1, 2, 5]), np.array([0, 1, 1, 3])
    score = macro_f1(preds, target, np.array([1, 1, 1, 0]))
    assert score == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_binary_takes_one_class_of_two_per_row() -> None:
    with pytest.raises(ValueError, match="one class per row"):
        f_beta(np.eye(2, dtype=int), np.eye(2, dtype=int), average="binary")
    with pytest.raises(ValueError, match=r"\[0, 2\), found 2"):
        f_beta(np.array([0, 2]), np.array([0, 1]), average="binary")


@pytest.mark.parametrize("options", [{"beta": 0}, {"beta": -1.0}, {"average": "samples"}])
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        bind(METRICS, {"name": "f_beta", **options})


def test_bound_options_reach_the_prepared_score() -> None:
    metric = bind(METRICS, {"name": "f_beta", "beta": 2.0, "average": "micro"})
    preds, target = np.array([[1, 0], [1, 1]]), np.array([[1, 1], [0, 1]])
    weight = np.array([1.0, 3.0])
    expected = f_beta(preds, target, weight, beta=2.0, average="micro")
    assert metric.prepared(preds, target)(weight) == metric(preds, target, weight) == expected
