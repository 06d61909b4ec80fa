from __future__ import annotations

import numpy as np
import pytest

from foldwise.row_weights import row_weights


def test_no_weights_are_ones() -> None:
    assert row_weights(None, 3).tolist() == [1, 1, 1]


def test_whole_numbers_and_zeros_pass() -> None:
    assert row_weights(np.array([2, 0, 1]), 3).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, -0.1], "0 or more"),
        ([1.0, np.nan], "finite"),
        ([np.inf, 1.0], "finite"),
        ([0.0, 0.0], "all row weights are 0"),
        ([1.0], "shape"),
    ],
)
def test_impossible_weights_are_refused(weight: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        row_weights(np.array(weight), 2)


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        row_weights(None, 0)
