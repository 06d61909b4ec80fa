import numpy as np
import pytest

from foldwise.data.fold_order import check_one_clock, is_order, read_order
from foldwise.errors import DataError


def test_numbers_stay_as_they_are():
    assert read_order(["3", "-1.5", "1e3"], column="t").tolist() == [3.0, -1.5, 1000.0]


def test_dates_and_times_count_in_days():
    found = read_order(
        ["2024-02-28", "2024-03-01", "2024-03-01T12:00", "2024-03-02 06:00"], column="t"
    )
    assert (found - found[0]).tolist() == [0.0, 2.0, 2.5, 3.25]


def test_zones_are_laid_on_one_clock():
    found = read_order(["2024-05-31T07:00:00+02:00", "2024-05-31T05:00:00Z"], column="t")
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1", "2", "x"], "1 cells are neither numbers nor ISO dates: 'x'"),
        (["2024-01-01", ""], "1 cells are neither numbers nor ISO dates: ''"),
        (["2024-01-01", "nan"], "neither numbers nor ISO dates: 'nan'"),
        (["2024-01-01", "17"], "numbers and the others dates: '17'"),
        (["2024-01-01", "2024-01-01T00:00Z"], "some times have a zone"),
    ],
)
def test_what_is_no_clock_is_refused_by_its_cells(cells, words):
    with pytest.raises(DataError, match=f"taken: .*{words}"):
        read_order(cells, column="taken")


def test_the_doctor_can_ask_for_one_cell():
    assert [is_order(cell) for cell in ("7", "2024-01-01", "inf", "", "May")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_groups_one_after_the_other_are_on_one_clock():
    order = np.array([0.0, 1, 2, 2, 5, 9])
    check_one_clock(order, [np.array(["a", "a", "a", "b", "b", ""], dtype=object)], column="t")
    check_one_clock(order, [], column="t")


def test_frames_that_count_anew_in_every_track_are_no_clock():
    order = np.tile(np.arange(10.0), 3)
    tracks = np.repeat(np.array(["a", "b", "c"], dtype=object), 10)
    with pytest.raises(DataError) as caught:
        check_one_clock(order, [tracks], column="frame")
    assert "groups overlap on it: a (0 to 9) and b (0 to 9)" in str(caught.value)
    assert "stratified_group" in caught.value.remedy


def test_rows_without_a_group_may_lie_within_one_but_groups_may_not():
    order = np.array([0.0, 5, 9, 3, 4])
    with pytest.raises(DataError, match=r"a \(0 to 9\) and b \(3 to 4\)"):
        check_one_clock(order, [np.array(["a", "a", "a", "b", "b"], dtype=object)], column="t")
    check_one_clock(order, [np.array(["a", "a", "a", "", ""], dtype=object)], column="t")
