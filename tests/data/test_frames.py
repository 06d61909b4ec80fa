"""Neighbouring frames: their order, the ends of a sequence, rows that are alone, ties."""

from __future__ import annotations

import numpy as np
import pytest

from foldwise.data.frames import first_tie, frame_rows


def test_frames_stand_in_time_and_the_ends_repeat() -> None:
    sequences = np.array([1, 0, 1, 1, 0])
    order = np.array([5.0, 2.0, 1.0, 9.0, -3.0])
    # Sequence 0 is rows 4, 1; sequence 1 is rows 2, 0, 3.
    wanted = [[2, 2, 0, 3, 3], [4, 4, 1, 1, 1], [2, 2, 2, 0, 3], [2, 0, 3, 3, 3], [4, 4, 4, 1, 1]]
    assert frame_rows(sequences, order, (-2, -1, 0, 1, 2)).tolist() == wanted


@pytest.mark.parametrize("seed", range(5))
def test_frames_are_those_that_a_plain_search_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sequences, order = rng.integers(-1, 6, 60), rng.permutation(60).astype(float)
    found = frame_rows(sequences, order, (-2, 1))
    for row in range(60):
        own = [row] if sequences[row] < 0 else np.flatnonzero(sequences == sequences[row]).tolist()
        own.sort(key=lambda each: order[each])
        place = own.index(row)
        last = len(own) - 1
        wanted = [own[max(0, place - 2)], own[min(last, place + 1)]]
        assert found[row].tolist() == wanted


def test_rows_without_a_sequence_are_their_own_neighbours_and_none_is_none() -> None:
    found = frame_rows(np.array([-1, -1]), np.zeros(2), (-1, 0))
    assert found.tolist() == [[0, 0], [1, 1]]
    empty = np.empty(0, dtype=np.int64)
    assert frame_rows(empty, np.empty(0), (-1, 0)).shape == (0, 2)


def test_two_rows_at_one_place_are_told_but_not_those_that_are_alone() -> None:
    assert first_tie(np.array([0, 1, 1, 0]), np.array([1.0, 4.0, 4.0, 2.0])) == (1, 2)
    assert first_tie(np.array([0, 1, -1, -1]), np.zeros(4)) is None
