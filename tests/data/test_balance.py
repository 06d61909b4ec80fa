import numpy as np
import pytest

from foldwise.data.balance import BALANCES, bind_balance
from foldwise.errors import ConfigError

TARGET = np.repeat([0, 1, 3], [49, 10, 1])
"""Class 2 has no row."""


@pytest.mark.parametrize("name", BALANCES)
def test_rows_weigh_one_on_average_and_rare_ones_no_less(name):
    weights = bind_balance(name).row_weights(TARGET, 4)
    assert weights.shape == (60,)
    assert weights.mean() == pytest.approx(1.0)
    assert (np.diff(weights) >= 0).all()


@pytest.mark.parametrize("name", BALANCES)
def test_the_log_ratio_turns_the_balanced_shares_into_those_of_the_rows(name):
    balance = bind_balance(name)
    ratio = balance.log_ratio(TARGET, 4)
    weights = balance.row_weights(TARGET, 4)
    balanced = np.array([weights[k == TARGET].sum() for k in (0, 1, 3)]) / weights.sum()
    assert np.allclose(balanced * np.exp(ratio[[0, 1, 3]]), np.array([49, 10, 1]) / 60)
    assert ratio[2] == 0


def test_equal_classes_are_as_they_were_before_there_were_other_ways():
    counts = np.bincount(TARGET, minlength=4)
    weights = 1.0 / counts[TARGET]
    seen = counts > 0
    for name in ("sampler", "weights"):
        balance = bind_balance(name)
        assert np.array_equal(balance.row_weights(TARGET, 4), weights / weights.mean())
        offset = np.log(counts[seen] / counts.sum() * seen.sum())
        assert np.array_equal(balance.log_ratio(TARGET, 4)[seen], offset)


def test_effective_numbers_are_those_of_the_paper():
    # (1 - 0.9^1) / 0.1 = 1, (1 - 0.9^2) / 0.1 = 1.9, (1 - 0.9^3) / 0.1 = 2.71.
    target = np.array([0, 1, 1, 2, 2, 2])
    weights = bind_balance({"name": "effective_number", "beta": 0.9}).row_weights(target, 3)
    assert np.allclose(weights[[1, 3]] / weights[0], [1 / 1.9, 1 / 2.71])


def test_effective_numbers_lie_between_no_balance_and_equal_classes():
    alike = bind_balance({"name": "effective_number", "beta": 0.0}).row_weights(TARGET, 4)
    assert np.allclose(alike, 1.0)
    near = bind_balance({"name": "effective_number", "beta": 1 - 1e-9}).row_weights(TARGET, 4)
    assert np.allclose(near, bind_balance("weights").row_weights(TARGET, 4), rtol=1e-4)


def test_logit_adjustment_shifts_by_tau_times_the_log_share():
    for tau in (0.5, 1.0, 2.0):
        shift = bind_balance({"name": "logit_adjustment", "tau": tau}).log_ratio(TARGET, 4)
        assert shift[0] - shift[1] == pytest.approx(tau * np.log(4.9))
        assert shift[1] - shift[3] == pytest.approx(tau * np.log(10))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("sampling", "did you mean 'sampler'"),
        ({"name": "effective_number", "betta": 0.9}, "did you mean 'beta'"),
        ({"name": "effective_number", "beta": 1.0}, "less than 1"),
        ({"name": "weights", "power": 2}, "it takes no options"),
    ],
)
def test_unknown_ways_and_options_are_named(spec, words):
    with pytest.raises(ConfigError, match=words):
        bind_balance(spec)
