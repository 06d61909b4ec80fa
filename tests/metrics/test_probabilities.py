from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from foldwise.metrics.probabilities import log_loss


@pytest.mark.parametrize("seed", range(5))
def test_log_loss_of_classes_matches_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(4), 80)
    target, weight = rng.integers(0, 4, 80), rng.random(80)
    expected = oracle.log_loss(target, probs, labels=range(4), sample_weight=weight)
    assert log_loss(probs, target, weight) == pytest.approx(expected)
    assert log_loss(probs * rng.random((80, 1)) * 9, target, weight) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_log_loss_of_columns_is_the_mean_of_their_binary_losses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probs, target = rng.random((80, 3)), rng.integers(0, 2, (80, 3))
    weight = rng.random(80)
    expected = [
        oracle.log_loss(target[:, c], probs[:, c], labels=[0, 1], sample_weight=weight)
        for c in range(3)
    ]
    assert log_loss(probs, target, weight) == pytest.approx(np.mean(expected))


def test_one_column_is_the_probability_of_the_second_class() -> None:
    second = np.array([[0.1], [0.7], [0.4]])
    target = np.array([0, 1, 1])
    both = np.hstack([1 - second, second])
    assert log_loss(second, target) == pytest.approx(log_loss(both, target))


def test_a_sure_mistake_costs_what_the_clip_says() -> None:
    sure = np.array([[1.0, 0.0]])
    assert log_loss(sure, np.array([1])) == pytest.approx(-np.log(1e-15))
    assert log_loss(sure, np.array([1]), clip=1e-3) == pytest.approx(-np.log(1e-3))
    assert log_loss(sure, np.array([0])) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("probs", "target", "message"),
    [
        ([[-0.1, 1.1]], [0], "needs probabilities"),
        ([[1.1]], [0], "needs probabilities"),
        ([[0.5, 1.5]], [[0, 1]], "needs probabilities"),
        ([[0.0, 0.0]], [0], "sum to 0"),
        ([[0.5, 0.5]], [2], r"\[0, 2\)"),
        ([[0.5, 0.5]], [-1], r"\[0, 2\)"),
        ([[0.5, 0.5]], [0.0], "whole numbers"),
    ],
)
def test_what_is_no_probability_is_refused(
    probs: list[list[float]], target: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        log_loss(np.array(probs), np.array(target))
