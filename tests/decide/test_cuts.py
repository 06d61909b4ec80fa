from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foldwise.decide.cuts import cuts, half_cuts, shrunk_cuts, to_common
from foldwise.errors import ConfigError


def test_worked_values_of_the_three_formulations() -> None:
    regression = to_common(np.array([[2.7]]), shrunk_cuts(5), 5)
    borders = to_common(np.array([[0.9 + 0.8 + 0.1 + 0.1]]), shrunk_cuts(5), 5)
    expected = np.array([[0.2, 0.7, 0.1, 0, 0]]) @ np.arange(5)[:, None]
    expectation = to_common(expected, half_cuts(5), 5)
    assert regression.item() == pytest.approx(2.875, abs=1e-12)
    assert borders.item() == pytest.approx(1.875, abs=1e-12)
    assert expectation.item() == expected.item() == pytest.approx(0.9, abs=1e-12)
    common = np.vstack([regression, borders, expectation])
    assert cuts(common, values=half_cuts(5)).tolist() == [3, 2, 1]


def test_fixed_cuts_are_those_of_the_formulations() -> None:
    assert shrunk_cuts(5) == [0.8, 1.6, 2.4, 3.2]
    assert half_cuts(5) == [0.5, 1.5, 2.5, 3.5]
    assert shrunk_cuts(2) == half_cuts(2) == [0.5]


def test_a_score_on_a_cut_goes_up() -> None:
    below = np.nextafter(0.8, 0)
    assert cuts(np.array([[0.8], [below], [3.2], [-1], [9]]), values=shrunk_cuts(5)).tolist() == [
        1, 0, 4, 0, 4,
    ]  # fmt: skip


def test_the_common_scale_holds_ends_and_cuts_and_clips() -> None:
    limits = shrunk_cuts(5)
    common = to_common(np.array([-3, 0, *limits, 4, 7.0]), limits, 5)
    assert common.tolist() == [0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]


@given(st.integers(2, 9), st.floats(-1, 10))
def test_half_cuts_are_the_identity_inside_the_grades(num_grades: int, score: float) -> None:
    common = to_common(np.array([score]), half_cuts(num_grades), num_grades).item()
    assert common == min(max(score, 0), num_grades - 1)


@given(
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6, unique=True),
    st.lists(st.floats(-1, 7), min_size=2, max_size=20),
)
def test_the_common_scale_keeps_order_and_grades(
    fractions: list[float], numbers: list[float]
) -> None:
    num_grades = len(fractions) + 1
    limits = sorted(fraction * (num_grades - 1) for fraction in fractions)
    scores = np.sort(numbers)[:, None]
    assume(np.abs(scores - limits).min() > 1e-9)  # Nearer than that, rounding may cross a cut.
    assume(np.diff([0, *limits, num_grades - 1]).min() > 1e-6)
    common = to_common(scores, limits, num_grades)
    assert (np.diff(common, axis=0) >= 0).all()
    np.testing.assert_array_equal(
        cuts(common, values=half_cuts(num_grades)), cuts(scores, values=limits)
    )


@pytest.mark.parametrize("values", [[1.0, 1.0], [2.0, 1.0], [float("nan")], [[1.0]]])
def test_cuts_that_do_not_rise_are_refused(values: list[float]) -> None:
    with pytest.raises(ConfigError, match="rising"):
        cuts(np.zeros((1, 1)), values=values)


@pytest.mark.parametrize("values", [[0.5], [0.0, 1.0], [0.5, 2.0]])
def test_a_scale_needs_a_cut_between_all_grades(values: list[float]) -> None:
    with pytest.raises(ConfigError, match="3 grades need 2 cuts inside"):
        to_common(np.zeros(1), values, 3)


def test_grades_are_cut_from_one_column() -> None:
    with pytest.raises(ConfigError, match="one score per sample"):
        cuts(np.zeros((2, 3)), values=[0.5])
