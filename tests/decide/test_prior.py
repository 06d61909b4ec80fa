from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.prior import prior_shift
from foldwise.errors import ConfigError, DataError


def gaussian_posterior(x: np.ndarray, shares: list[float]) -> np.ndarray:
    """Bayes' rule for three unit normals at 0, 1 and 2."""
    joint = np.exp(-((x[:, None] - np.arange(3)) ** 2) / 2) * np.asarray(shares)
    return joint / joint.sum(axis=1, keepdims=True)


def test_the_corrected_posterior_is_that_of_the_other_mix() -> None:
    x, train, test = np.linspace(-2, 4, 50), [0.7, 0.2, 0.1], [0.2, 0.3, 0.5]
    shifted = prior_shift(gaussian_posterior(x, train), train=train, test=test)
    np.testing.assert_allclose(shifted, gaussian_posterior(x, test), rtol=1e-12)
    scaled = prior_shift(gaussian_posterior(x, train), train=[7.0, 2.0, 1.0], test=[2, 3, 5])
    np.testing.assert_allclose(scaled, shifted, rtol=1e-12)


def test_columns_for_themselves_are_two_classes_each() -> None:
    scores, train, test = np.array([[0.3, 0.9], [0.0, 1.0]]), [0.1, 0.6], [0.5, 0.2]
    shifted = prior_shift(scores, train=train, test=test, exclusive=False)
    for c in range(2):
        pair = np.stack([1 - scores[:, c], scores[:, c]], axis=1)
        expected = prior_shift(pair, train=[1 - train[c], train[c]], test=[1 - test[c], test[c]])
        np.testing.assert_allclose(shifted[:, c], expected[:, 1], rtol=1e-12)


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_same_mix_changes_nothing_and_there_and_back_is_the_identity(exclusive: bool) -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    a, b = [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]
    same = prior_shift(scores, train=a, test=a, exclusive=exclusive)
    there = prior_shift(scores, train=a, test=b, exclusive=exclusive)
    back = prior_shift(there, train=b, test=a, exclusive=exclusive)
    np.testing.assert_allclose(same, scores, rtol=1e-12)
    np.testing.assert_allclose(back, scores, rtol=1e-9)


@pytest.mark.parametrize(
    ("train", "test", "exclusive", "message"),
    [
        ([0.5], [0.5, 0.5], True, "train: 1 shares for 2 classes"),
        ([0.0, 1.0], [0.5, 0.5], True, "no share may be 0"),
        ([0.5, 0.5], [-0.5, 1.5], True, "0 or more"),
        ([0.5, 0.5], [0.0, 0.0], True, "all shares are 0"),
        ([0.5, 0.5], [0.0, 0.5], False, r"test: shares must be in \(0, 1\)"),
        ([1.0, 0.5], [0.5, 0.5], False, r"train: shares must be in \(0, 1\)"),
    ],
)
def test_impossible_shares_are_refused(
    train: list[float], test: list[float], exclusive: bool, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        prior_shift(np.full((1, 2), 0.5), train=train, test=test, exclusive=exclusive)


def test_what_is_no_probability_or_can_become_none_is_refused() -> None:
    with pytest.raises(DataError, match="needs probabilities"):
        prior_shift(np.array([[2.0, -1.0]]), train=[0.5, 0.5], test=[0.5, 0.5])
    with pytest.raises(DataError, match=r"row 1 .* test share is 0"):
        prior_shift(np.array([[1.0, 0], [0, 1.0]]), train=[0.5, 0.5], test=[1.0, 0])
