from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.gaps import Gaps

SCORES = np.array([0.7, 0.1, 0.3, 0.3])


def test_gaps_lie_below_between_and_above_scores_that_differ() -> None:
    gaps = Gaps.of(SCORES)
    assert len(gaps) == 4
    assert gaps.num_below.tolist() == [0, 1, 3, 4]
    assert gaps.low.tolist() == [-np.inf, 0.1, 0.3, 0.7]
    assert gaps.high.tolist() == [0.1, 0.3, 0.7, np.inf]
    assert gaps.sums_below(np.array([8.0, 1.0, 2.0, 4.0])).tolist() == [0, 1, 7, 15]


def test_a_place_is_as_far_from_a_gap_as_from_its_nearer_end() -> None:
    assert Gaps.of(SCORES).away(0.5).tolist() == pytest.approx([0.4, 0.2, 0, 0.2])


def test_cuts_of_one_gap_part_it_evenly() -> None:
    assert Gaps.of(SCORES, num_cuts=3).place([1, 2, 2], [0.5, 1.5, 2.5]) == pytest.approx(
        [0.2, 0.3 + 0.4 / 3, 0.3 + 0.8 / 3]
    )


def test_cuts_beyond_the_scores_stay_or_move_together_to_half_a_unit_beyond() -> None:
    gaps = Gaps.of(SCORES, num_cuts=2)
    assert gaps.place([0, 0], [0.5, 1.5]) == pytest.approx([-1.4, -0.4])
    assert gaps.place([0, 3], [-2.0, 1.5]) == [-2.0, 1.5]
    assert gaps.place([3, 3], [0.5, 1.5]) == pytest.approx([1.2, 2.2])


def test_cuts_between_near_neighbours_rise_and_leave_them_on_their_sides() -> None:
    low = 1.0
    for steps in range(1, 80):
        high = low + steps * np.spacing(low)
        gaps = Gaps.of(np.array([low, high]), num_cuts=5)
        if len(gaps) == 3:
            cuts = gaps.place([1] * 5, [0.5, 1.5, 2.5, 3.5, 4.5])
            assert (np.diff([low, *cuts, high]) > 0).all()
    assert len(gaps) == 3


def test_of_equal_totals_the_nearest_gap_is_taken_whatever_their_scale() -> None:
    gaps = Gaps.of(SCORES)
    for scale in (1e-15, 1.0, 1e15):
        assert gaps.nearest_best(np.array([2.0, 3.0, 1.0, 3.0]) * scale, fixed=0.6) == 3
        assert gaps.nearest_best(np.array([2.0, 3.0, 2.9, 1.0]) * scale, fixed=0.6) == 1
