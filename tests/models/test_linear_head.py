"""Solved heads against scikit-learn, and what they do at the edges."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression, Ridge

from foldwise.errors import DataError
from foldwise.models import logistic, ridge
from foldwise.models.linear_head import PENALTIES, Kind, LinearHead, solve_head
from foldwise.models.rotation import rotate

_SHAPES = [(120, 20), (40, 90)]


def _standardised(features: np.ndarray) -> np.ndarray:
    """As scikit-learn's scaler does, but for features that hardly stir."""
    std = features.std(axis=0)
    flat = std == 0
    usual = np.median(std[~flat]) if not flat.all() else 1.0
    std = np.where(flat, 1.0, np.maximum(std, 0.1 * usual))
    standard: np.ndarray = (features - features.mean(axis=0)) / std
    return standard


def _data(num: int, dims: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.integers(0, classes, num)
    centres = rng.normal(size=(classes, dims))
    features = centres[target] + 1.5 * rng.normal(size=(num, dims))
    # Scales and offsets as unlike as those of real features; one feature is constant.
    features = features * rng.uniform(0.01, 10.0, dims) + rng.normal(size=dims)
    features[:, 0] = 3.0
    return features, target


def _target(kind: Kind, labels: np.ndarray) -> np.ndarray:
    if kind == "softmax":
        return labels
    return np.eye(4)[labels] if kind == "sigmoid" else labels[:, None] * np.array([1.0, -2.0])


def _logits(head: LinearHead, features: np.ndarray) -> np.ndarray:
    return features @ head.weight.astype(np.float64).T + head.bias


@pytest.mark.parametrize(("num", "dims"), _SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_equals_scikit_learn(num: int, dims: int, weighted: bool) -> None:
    features, labels = _data(num, dims)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, num) if weighted else None
    head = solve_head(features, labels, "softmax", sample_weight=weights)
    total = num if weights is None else weights.sum()
    standard = _standardised(features)
    oracle = LogisticRegression(C=1.0 / (head.penalty * total), tol=1e-10, max_iter=10_000)
    oracle.fit(standard, labels, sample_weight=weights)
    np.testing.assert_allclose(
        softmax(_logits(head, features), axis=1), oracle.predict_proba(standard), atol=2e-4
    )


@pytest.mark.parametrize(("num", "dims"), _SHAPES)
def test_sigmoid_equals_one_scikit_learn_model_per_output(num: int, dims: int) -> None:
    features, labels = _data(num, dims)
    target = _target("sigmoid", labels)
    head = solve_head(features, target, "sigmoid")
    standard = _standardised(features)
    probs = expit(_logits(head, features))
    for output in range(4):
        oracle = LogisticRegression(C=1.0 / (head.penalty * num), tol=1e-10, max_iter=10_000)
        oracle.fit(standard, target[:, output])
        expected = oracle.predict_proba(standard)[:, 1]
        np.testing.assert_allclose(probs[:, output], expected, atol=2e-4)


@pytest.mark.parametrize(("num", "dims"), _SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_equals_scikit_learn(num: int, dims: int, weighted: bool) -> None:
    features, labels = _data(num, dims)
    target = _target("linear", labels)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, num) if weighted else None
    head = solve_head(features, target, "linear", sample_weight=weights)
    total = num if weights is None else weights.sum()
    standard = _standardised(features)
    oracle = Ridge(alpha=head.penalty * total).fit(standard, target, sample_weight=weights)
    np.testing.assert_allclose(_logits(head, features), oracle.predict(standard), atol=1e-4)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "linear"])
def test_the_penalty_is_the_grids_best_on_held_out_rows(kind: Kind) -> None:
    # Labels without any signal want the strongest penalty, clear ones a weak one.
    rng = np.random.default_rng(0)
    features, labels = _data(200, 12)
    noise = solve_head(features, _target(kind, rng.permutation(labels)), kind)
    clear = solve_head(features, _target(kind, labels), kind)
    assert noise.penalty > 10 * clear.penalty
    assert {noise.penalty, clear.penalty} <= set(PENALTIES)
    assert "4 inner folds" in clear.note


def test_rotation_keeps_the_features_and_turns_heads_back() -> None:
    for num, dims in _SHAPES:
        features, _ = _data(num, dims)
        found = rotate(features)
        assert found.rows.shape[1] <= min(num, dims)
        standard = _standardised(features)
        np.testing.assert_allclose(found.rows @ found.axes.T, standard, atol=1e-7)
        rng = np.random.default_rng(0)
        weight, bias = rng.normal(size=(found.rows.shape[1], 2)), rng.normal(size=2)
        layer, shift = found.back(weight, bias)
        np.testing.assert_allclose(features @ layer.T + shift, found.rows @ weight + bias)


def test_the_paths_end_where_a_fresh_start_ends() -> None:
    features, labels = _data(80, 10)
    rows, target = rotate(features).rows, np.eye(4)[labels]
    (*_, warm) = logistic.path(
        rows, target, np.ones(80), [1.0, 0.1, 0.01], link="softmax", tolerance=1e-8
    )
    cold = next(logistic.path(rows, target, np.ones(80), [0.01], link="softmax", tolerance=1e-8))
    np.testing.assert_allclose(warm[0], cold[0], atol=1e-5)
    (*_, last) = ridge.path(rows, target, np.ones(80), [1.0, 0.01])
    np.testing.assert_allclose(
        last[0], next(ridge.path(rows, target, np.ones(80), [0.01]))[0], rtol=1e-9
    )


def test_a_class_without_rows_has_an_output_that_is_never_likely() -> None:
    features, labels = _data(60, 8, classes=3)
    labels[labels == 1] = 0
    head = solve_head(features, labels, "softmax", num_outputs=5)
    probs = softmax(_logits(head, features), axis=1)
    assert head.weight.shape == (5, 8)
    assert (head.weight[[1, 3, 4]] == 0).all()
    assert (probs[:, [1, 3, 4]] <= 0.5 / 60 + 1e-9).all()
    assert (probs[:, [1, 3, 4]] > 0).all()


def test_one_class_alone_is_always_the_answer() -> None:
    features, _ = _data(20, 5)
    head = solve_head(features, np.full(20, 2), "softmax", num_outputs=3)
    assert (_logits(head, features).argmax(axis=1) == 2).all()
    assert np.isfinite(head.bias).all()


def test_sigmoid_outputs_of_one_value_are_constant_and_sure() -> None:
    features, labels = _data(60, 8)
    target = np.stack([labels > 1, np.zeros(60), np.ones(60)], axis=1)
    head = solve_head(features, target, "sigmoid")
    probs = expit(_logits(head, features))
    assert (head.weight[1:] == 0).all()
    assert (probs[:, 1] < 0.01).all()
    assert (probs[:, 2] > 0.99).all()


def test_groups_keep_copies_from_choosing_too_weak_a_penalty() -> None:
    # Eight copies of each row: rows of one group on both sides would reward learning by heart.
    features, labels = _data(60, 200)
    labels = np.random.default_rng(2).permutation(labels)
    copies = np.repeat(np.arange(60), 8)
    blind = solve_head(features[copies], labels[copies], "softmax")
    aware = solve_head(features[copies], labels[copies], "softmax", groups=copies)
    assert aware.penalty > blind.penalty
    assert "60 groups kept together" in aware.note


def test_few_groups_take_the_set_penalty_and_say_so() -> None:
    features, labels = _data(60, 8)
    head = solve_head(features, labels, "softmax", groups=np.arange(60) % 3)
    assert "3 rows or groups are too few" in head.note


def test_rows_of_weight_zero_do_not_count() -> None:
    features, labels = _data(80, 8)
    target = labels[:, None].astype(float)
    weights = np.r_[np.ones(60), np.zeros(20)]
    rows = np.where(np.arange(80) < 60, np.arange(80), 0)
    whole = solve_head(features[rows], target, "linear", sample_weight=weights)
    spoiled = target.copy()
    spoiled[60:] = 1e3
    changed = solve_head(features[rows], spoiled, "linear", sample_weight=weights)
    assert whole.penalty == changed.penalty
    np.testing.assert_allclose(whole.weight, changed.weight, rtol=1e-5)


def test_the_same_rows_give_the_same_bits() -> None:
    features, labels = _data(60, 90)
    one, two = (solve_head(features, labels, "softmax", seed=3) for _ in range(2))
    assert one.weight.tobytes() == two.weight.tobytes()
    assert one.bias.tobytes() == two.bias.tobytes()


def test_features_that_are_not_finite_are_named() -> None:
    features, labels = _data(20, 5)
    features[[4, 7], 2] = np.nan
    with pytest.raises(DataError, match=r"features of 2 of 20 rows are not finite, .* row 4"):
        solve_head(features, labels, "softmax")


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        solve_head(np.empty((0, 3)), np.empty(0, dtype=int), "softmax", num_outputs=2)


def test_wide_features_take_seconds_not_minutes() -> None:
    # An order of magnitude, not a benchmark: without the rotation it takes minutes.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, 300)
    features = rng.normal(size=(8, 1280))[labels] + 2 * rng.normal(size=(300, 1280))
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head = solve_head(features, labels, "softmax")
    assert time.process_time() - start < 20.0
    assert (_logits(head, features).argmax(axis=1) == labels).mean() > 0.9


def test_a_feature_that_stirs_only_on_new_rows_does_not_swamp_them() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 30))
    target = features[:, :1] + 0.1 * rng.normal(size=(200, 1))
    features[:, 7] = 1e-5 * (target[:, 0] + rng.normal(size=200))
    new = rng.normal(size=(50, 30))
    head = solve_head(features, target, "linear")
    outputs = new @ head.weight.T + head.bias
    assert np.abs(outputs).max() < 10
