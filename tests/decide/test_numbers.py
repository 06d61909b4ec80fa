from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.numbers import value
from foldwise.errors import ConfigError


def test_numbers_pass_clipped_and_rounded() -> None:
    scores = np.array([[-1.26], [0.5], [7.28]])
    assert value(scores).tolist() == [-1.26, 0.5, 7.28]
    assert value(scores, low=0, high=5).tolist() == [0, 0.5, 5]
    assert value(scores, decimals=1).tolist() == [-1.3, 0.5, 7.3]
    assert value(scores, decimals=0, low=-1.1).tolist() == [-1, 0, 7]


def test_a_limit_is_kept_after_rounding() -> None:
    assert value(np.array([[0.14]]), low=0.14, high=0.16, decimals=1).tolist() == [0.14]


def test_impossible_limits_and_more_columns_are_refused() -> None:
    with pytest.raises(ConfigError, match="above high"):
        value(np.zeros((1, 1)), low=2, high=1)
    with pytest.raises(ConfigError, match="one score"):
        value(np.zeros((1, 2)))
