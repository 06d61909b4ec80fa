from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.timeline import Timeline, within


def brute_windows(timeline: Timeline, reach: float) -> list[set[int]]:
    """Row → the rows of its window, itself among them."""
    return [
        {
            other
            for other in range(len(timeline))
            if other == row
            or (
                timeline.sequences[row] >= 0
                and timeline.sequences[other] == timeline.sequences[row]
                and abs(timeline.order[other] - timeline.order[row]) <= reach
            )
        }
        for row in range(len(timeline))
    ]


def drawn(rng: np.random.Generator, num: int = 40) -> Timeline:
    """Rows of a few sequences and some alone, with gaps, in any order."""
    sequences = rng.integers(-1, 4, num)
    return Timeline(sequences, rng.permutation(3 * num)[:num].astype(np.float64))


@pytest.mark.parametrize("reach", [0.0, 1.0, 5.0, 1000.0])
def test_windows_hold_the_rows_of_the_sequence_within_reach(reach: float) -> None:
    timeline = drawn(np.random.default_rng(int(reach)))
    first, end = timeline.windows(reach)
    found: list[set[int]] = [set() for _ in range(len(timeline))]
    for place, row in enumerate(timeline.in_time):
        found[row] = set(timeline.in_time[first[place] : end[place]].tolist())
    assert found == brute_windows(timeline, reach)


def test_a_row_at_the_very_edge_of_a_window_is_in_it() -> None:
    times = np.cumsum(np.full(50, 0.1)) + 1.7e9  # Seconds of a clock, not exact.
    timeline = Timeline(np.zeros(50, int), times)
    first, end = timeline.windows(0.3)
    assert (end - first)[3:-3].tolist() == [7] * 44


def test_a_sequence_is_parted_at_gaps() -> None:
    timeline = Timeline(np.array([0, 0, 0, 1, 1, -1, -1]), np.array([1.0, 9, 2, 1, 5, 0, 0]))
    parted = timeline.parted(4.0)
    same = parted.sequences[:, None] == parted.sequences
    assert (parted.sequences < 0).tolist() == [False] * 5 + [True] * 2
    assert same[0, 2]
    assert same[3, 4]
    assert not same[0, 1]
    assert not same[0, 3]


def test_steps_are_those_inside_sequences() -> None:
    timeline = Timeline(np.array([1, 0, 1, 0, -1]), np.array([10.0, 3, 40, 5, 0]))
    assert sorted(timeline.steps.tolist()) == [2.0, 30.0]


def test_rows_are_taken_by_mask_and_by_position_and_joined_by_ones_alone() -> None:
    timeline = drawn(np.random.default_rng(0))
    rows = np.array([5, 3, -1])
    more = timeline.with_alone(1)
    assert more.take(rows).sequences.tolist() == [*timeline.sequences[[5, 3]].tolist(), -1]
    mask = timeline.order > 20
    np.testing.assert_array_equal(timeline.take(mask).order, timeline.order[mask])


def test_no_rows_have_no_windows() -> None:
    none = Timeline(np.zeros(0, int), np.zeros(0))
    assert [len(ends) for ends in none.windows(3.0)] == [0, 0]
    assert list(none.each()) == []
    assert [len(ends) for ends in within(np.zeros(0), 1.0)] == [0, 0]
