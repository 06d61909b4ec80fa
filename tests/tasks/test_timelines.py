from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import samples as samples_file
from foldwise.data.folds_file import write_folds
from foldwise.errors import DataError
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem, open_problem
from foldwise.tasks.timelines import test_timeline as of_test
from foldwise.tasks.timelines import train_timeline

from ..stages.ordered_competition import LENGTH, ordered_problem


def changed(problem: Problem, **cells: Any) -> Problem:
    """With other cells in a column."""
    frame = samples_file.read(problem.home.samples).frame
    for name, values in cells.items():
        frame[f"cell:{name}"] = values
    samples_file.write(problem.home.samples, Samples(frame))
    return open_problem(problem.home)


def test_rows_stand_in_their_sequence_and_order(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    timeline = train_timeline(problem)
    assert timeline is not None
    assert len(timeline) == len(problem.train)
    tracks = np.array(problem.train.cells("track"))
    same = timeline.sequences[:, None] == timeline.sequences
    np.testing.assert_array_equal(same, tracks[:, None] == tracks)
    assert timeline.order.tolist() == [float(cell) for cell in problem.train.cells("frame")]


def test_no_steps_over_time_need_no_timeline(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, steps=None)
    assert train_timeline(problem) is None
    assert of_test(problem, problem.test.ids) is None


def test_test_rows_are_found_by_id_and_strangers_are_alone(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    ids = [problem.test.ids[5], "damaged", problem.test.ids[0]]
    timeline = of_test(problem, ids)
    assert timeline is not None
    assert (timeline.sequences >= 0).tolist() == [True, False, True]
    cells = dict(zip(problem.test.ids, problem.test.cells("frame"), strict=True))
    assert timeline.order[[0, 2]].tolist() == [float(cells[ids[0]]), float(cells[ids[2]])]


def test_dates_are_counted_in_seconds(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    num = len(problem.samples)
    times = [f"2024-05-31T07:00:{row % LENGTH:02d}.500" for row in range(num)]
    timeline = train_timeline(changed(problem, frame=times))
    assert timeline is not None
    np.testing.assert_allclose(timeline.steps, 1.0, atol=1e-5)


def test_two_rows_at_one_place_are_refused(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    with pytest.raises(DataError, match=r"t0000 and t0001 are of one sequence \(track track0\)"):
        train_timeline(changed(problem, frame="1"))


def test_a_sequence_in_several_folds_is_refused_unless_it_is_parted(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    place = np.arange(len(problem.train))
    write_folds(problem.home.folds, problem.train.ids, place % LENGTH // 6)
    with pytest.raises(DataError, match=r"track track0 lies in folds 0, 1: submission\.over_time"):
        train_timeline(problem)
    half = [str(row % LENGTH // 6) for row in range(len(problem.samples))]
    problem = ordered_problem(tmp_path / "parted", over_time={"sequence": ["track", "half"]})
    write_folds(problem.home.folds, problem.train.ids, place % LENGTH // 6)
    timeline = train_timeline(changed(problem, half=half))
    assert timeline is not None
    assert len(np.unique(timeline.sequences)) == 60


def test_a_gap_parts_a_sequence(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, over_time={"max_gap": 100})
    frames = [str(30 * (row % LENGTH) + 500 * (row % LENGTH > 7)) for row in range(396)]
    timeline = train_timeline(changed(problem, frame=frames))
    assert timeline is not None
    assert len(np.unique(timeline.sequences)) == 60


def test_an_empty_cell_is_no_sequence(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    tracks = [*problem.train.cells("track"), *problem.test.cells("track")]
    timeline = train_timeline(changed(problem, track=["", "", *tracks[2:]]))
    assert timeline is not None
    assert timeline.sequences[:3].tolist()[:2] == [-1, -1]
