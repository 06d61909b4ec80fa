"""Which images each sample is fed: chosen ones, neighbours in its sequence, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise.config.loading import from_values
from foldwise.config.network import InputConfig
from foldwise.data.folds_file import write_folds
from foldwise.errors import ConfigError, DataError
from foldwise.samples import Samples
from foldwise.tasks.image_sets import read_image_sets
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import make_problem

_FRAMES = {"frames": {"before": 1, "after": 1}}
_NUM_TRAIN, _NUM_TEST = 12, 6


def config(**values: Any) -> InputConfig:
    return from_values(values, InputConfig, source="test")


def tracks(folder: Path, **changes: Any) -> Problem:
    """Tracks of 4 frames; train rows 0-11 are tracks 0-2, test rows 12-17 tracks 3 and 4."""
    columns = {"order": "frame", **changes.pop("columns", {})}
    problem = make_problem(
        folder, num_train=_NUM_TRAIN, num_test=_NUM_TEST, group_size=4, thumbs=False,
        columns=columns, **changes,
    )  # fmt: skip
    num = _NUM_TRAIN + _NUM_TEST
    frame = problem.samples.frame.assign(
        **{
            "cell:track": [f"track{row // 4}" for row in range(num)],
            # Time runs against the rows' order.
            "cell:frame": [str(100 - row) for row in range(num)],
        }
    )
    return replace(problem, samples=Samples(frame))


def change(problem: Problem, column: str, cells: dict[int, str]) -> Problem:
    """The same with other cells of some rows."""
    frame = problem.samples.frame.copy()
    for row, cell in cells.items():
        frame.loc[row, f"cell:{column}"] = cell
    return replace(problem, samples=Samples(frame))


def rows_fed(problem: Problem, values: dict[str, Any] = _FRAMES) -> list[list[int]]:
    """The row whose image stands at each place."""
    sets = read_image_sets(problem, config(**values))
    own = list(problem.samples.hashes)
    parts = [sets.hashes(part) for part in (problem.train, problem.test)]
    return [[own.index(sha) for sha in row] for part in parts for row in part]


def test_neighbours_are_of_the_track_and_its_ends_repeat(tmp_path: Path) -> None:
    found = rows_fed(tracks(tmp_path))
    assert found[0] == [1, 0, 0]
    assert found[1] == [2, 1, 0]
    assert found[3] == [3, 3, 2]
    assert found[4] == [5, 4, 4]
    assert found[12] == [13, 12, 12]
    assert found[17] == [17, 17, 16]


def test_no_sample_is_fed_an_image_of_another_fold_or_of_the_other_table(tmp_path: Path) -> None:
    problem = tracks(tmp_path)
    wide = {"frames": {"before": 3, "after": 16}}
    found = np.array(rows_fed(problem, wide))
    assert found.shape == (_NUM_TRAIN + _NUM_TEST, 20)
    folds = np.concatenate([problem.folds, np.full(_NUM_TEST, -1)])
    assert (folds[found] == folds[:, None]).all()


def test_a_test_row_of_a_track_in_train_is_fed_frames_of_both_but_a_train_row_is_not(
    tmp_path: Path,
) -> None:
    # Test row 12 stands between rows 1 and 2 of track 0.
    problem = change(tracks(tmp_path), "track", {12: "track0"})
    found = rows_fed(change(problem, "frame", {12: "98.5"}))
    assert found[12] == [2, 12, 1]
    assert found[1] == [2, 1, 0]
    assert found[13] == [14, 13, 13]


def test_rows_without_a_track_are_alone_and_need_no_order(tmp_path: Path) -> None:
    problem = change(tracks(tmp_path), "track", {1: "", 2: ""})
    found = rows_fed(change(problem, "frame", {1: "", 2: ""}))
    assert found[:4] == [[3, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 0]]


def test_rows_come_back_by_id_in_any_order(tmp_path: Path) -> None:
    problem = tracks(tmp_path)
    sets = read_image_sets(problem, config(**_FRAMES))
    rows = np.array([7, 0, 3])
    assert np.array_equal(sets.hashes(problem.train.take(rows)), sets.hashes(problem.train)[rows])


def test_columns_of_a_sequence_split_a_group(tmp_path: Path) -> None:
    problem = tracks(tmp_path)
    sides = ["left", "right"] * 9
    frame = problem.samples.frame.assign(**{"cell:side": sides})
    # Both sides are filmed at once.
    frame["cell:frame"] = [str(row // 2) for row in range(len(frame))]
    problem = replace(problem, samples=Samples(frame))
    found = rows_fed(problem, {"frames": {"sequence": ["track", "side"]}})
    assert found[0] == [0, 0, 2]
    assert found[3] == [1, 3, 3]
    with pytest.raises(
        DataError, match=r"t0000 and t0001 are of one sequence \(track track0\) and"
    ):
        read_image_sets(problem, config(**_FRAMES))


def several(problem: Problem) -> Problem:
    """Two images a sample; the second one's hash is the first one's with an x before it."""
    names = from_values(
        {"kind": "path", "columns": ["left", "right"]},
        type(problem.competition.images),
        source="test",
    )
    frame = problem.samples.frame.assign(
        **{"image2:file": "", "image2:sha256": ["x" + sha for sha in problem.samples.hashes]}
    )
    competition = problem.competition.model_copy(update={"images": names})
    return replace(problem, competition=competition, samples=Samples(frame))


def test_images_are_chosen_by_name_and_stand_frame_by_frame(tmp_path: Path) -> None:
    problem = several(tracks(tmp_path))
    own = problem.train.hashes
    both = read_image_sets(problem, config())
    assert both.num_images == 2
    assert both.hashes(problem.train)[5].tolist() == [own[5], "x" + own[5]]
    turned = read_image_sets(problem, config(images=["right", "left"]))
    assert turned.hashes(problem.train)[5].tolist() == ["x" + own[5], own[5]]
    right = read_image_sets(problem, config(images=["right"]))
    assert right.hashes(problem.train).tolist() == ["x" + sha for sha in own]
    assert right.num_images == 1
    framed = read_image_sets(problem, config(frames={"before": 1, "after": 0}))
    assert framed.num_images == 4
    wanted = [own[6], "x" + own[6], own[5], "x" + own[5]]
    assert framed.hashes(problem.train)[5].tolist() == wanted


def test_one_image_of_a_sample_is_told_by_its_own_hash(tmp_path: Path) -> None:
    problem = tracks(tmp_path)
    sets = read_image_sets(problem, config())
    assert sets.num_images == 1
    assert sets.hashes(problem.train).tolist() == problem.train.hashes.tolist()


def test_a_track_in_several_folds_is_refused(tmp_path: Path) -> None:
    problem = tracks(tmp_path)
    write_folds(problem.home.folds, problem.train.ids, np.arange(_NUM_TRAIN) % 3)
    with pytest.raises(DataError, match=r"track track0 lies in folds 0, 1, 2") as caught:
        read_image_sets(problem, config(frames={"before": 2, "after": 2}))
    assert "keep each sequence in one fold" in caught.value.remedy
    read_image_sets(problem, config())


@pytest.mark.parametrize(
    ("changes", "values", "wrong"),
    [
        ({"columns": {"order": None}}, _FRAMES, "says no columns.order"),
        ({"columns": {"group": []}}, _FRAMES, "says no columns.group"),
        ({"columns": {"order": "time"}}, _FRAMES, "train has no values in column time"),
        ({}, {"frames": {"sequence": ["label"]}}, "label: none of them is in columns.group"),
        ({}, {"frames": {"sequence": ["track", "eye"]}}, "train has no values in column eye"),
        ({}, {"images": ["left"]}, "there is no image 'left' of a sample"),
    ],
)
def test_what_cannot_be_fed_is_refused(
    tmp_path: Path, changes: dict[str, Any], values: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_image_sets(tracks(tmp_path, **changes), config(**values))
    assert wrong in str(caught.value)
    assert caught.value.remedy


def test_frames_that_test_lacks_and_orders_that_are_none_are_refused(tmp_path: Path) -> None:
    problem = tracks(tmp_path)
    empty = dict.fromkeys(range(_NUM_TRAIN, _NUM_TRAIN + _NUM_TEST), "")
    with pytest.raises(ConfigError, match="test has no values in column frame") as caught:
        read_image_sets(change(problem, "frame", empty), config(**_FRAMES))
    assert "needs them in train and in test" in caught.value.remedy
    with pytest.raises(DataError, match="frame: 1 cells are neither numbers nor ISO dates"):
        read_image_sets(change(problem, "frame", {3: "late"}), config(**_FRAMES))
    with pytest.raises(ConfigError, match="did you mean left"):
        read_image_sets(several(problem), config(images=["lefft"]))


def test_no_neighbour_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="before and after are 0; take frames out"):
        config(frames={"before": 0, "after": 0})
