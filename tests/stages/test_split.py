"""The split stage: folds only grow, groups and duplicates share a fold, and wrong asks are said."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from foldwise import samples as samples_file
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.data.folds_file import read_folds
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.stages.split import split
from foldwise.tasks.problem import open_problem
from tests.stages.small_competition import QUIET, make_problem


def with_cells(home: Home, **columns: Any) -> None:
    """Give the train rows these cells, by position."""
    frame = samples_file.read(home.samples).frame
    num_train = int((frame["split"] == "train").sum())
    for name, cells in columns.items():
        frame[f"cell:{name}"] = [*cells, *[""] * (len(frame) - num_train)]
    samples_file.write(home.samples, Samples(frame))


def plan_of(**folds: Any) -> Plan:
    return from_values({"recipes": {"a": {}}, "folds": {"count": 3, **folds}}, Plan, source="test")


def fresh(folder: Path, **changes: Any) -> Home:
    """A prepared competition without folds."""
    home = make_problem(folder, num_train=24, num_test=6, **changes).home
    facts = {"width": 32, "height": 32, "mode": "RGB", "format": "PNG"}
    samples_file.write(home.samples, Samples(samples_file.read(home.samples).frame.assign(**facts)))
    home.folds.unlink()
    home.groups.unlink(missing_ok=True)
    return home


def said(home: Home, **folds: Any) -> str:
    out = io.StringIO()
    split(home, plan=plan_of(**folds), display=Display(console=Console(file=out, width=400)))
    return out.getvalue()


def test_rows_taken_out_and_put_back_keep_their_fold(tmp_path: Path) -> None:
    home = fresh(tmp_path)
    split(home, plan=plan_of(), display=QUIET)
    before = read_folds(home.folds)
    everything = samples_file.read(home.samples)
    samples_file.write(home.samples, Samples(everything.frame.iloc[10:]))
    told = said(home)
    assert "14 rows kept theirs (10 more are not in the table now)" in told
    assert read_folds(home.folds) == before
    samples_file.write(home.samples, everything)
    assert "24 rows kept theirs," in said(home)
    assert read_folds(home.folds) == before


def test_a_newly_damaged_image_keeps_its_line(tmp_path: Path) -> None:
    home = fresh(tmp_path)
    split(home, plan=plan_of(), display=QUIET)
    before = read_folds(home.folds)
    frame = samples_file.read(home.samples).frame
    frame.loc[3, "damaged"] = "truncated"
    samples_file.write(home.samples, Samples(frame))
    assert split(home, plan=plan_of(), display=QUIET).result is not None
    assert read_folds(home.folds) == before
    assert len(open_problem(home).folds) == 23


def test_a_second_split_has_nothing_to_do_unless_a_file_is_gone(tmp_path: Path) -> None:
    home = fresh(tmp_path, group_size=2, columns={"group": ["track"]})
    assert split(home, plan=plan_of(), display=QUIET).result is not None
    assert split(home, plan=plan_of(), display=QUIET).result is None
    home.groups.unlink()  # Without it, every row would count as alone.
    assert split(home, plan=plan_of(), display=QUIET).result is not None
    assert open_problem(home).groups is not None


def test_an_equal_value_in_any_group_column_joins_and_an_empty_cell_does_not(
    tmp_path: Path,
) -> None:
    home = fresh(tmp_path, columns={"group": ["patient", "hospital"]})
    patients = [f"p{k // 3}" for k in range(18)] + [""] * 6
    hospitals = ["h0", "h1", "h2"] * 3 + [""] * 12 + ["h9", "h9", ""]
    with_cells(home, patient=patients, hospital=hospitals)
    split(home, plan=plan_of(), display=QUIET)
    problem = open_problem(home)
    assert problem.groups is not None
    groups = problem.groups.tolist()
    assert len(set(groups[:9])) == 1  # Three patients in the same three hospitals.
    assert len(set(groups[9:12])) == 1
    assert len(set(groups)) == 1 + 3 + 3 + 1 + 1
    for patient in set(patients) - {""}:
        rows = [k for k, name in enumerate(patients) if name == patient]
        assert len(set(problem.folds[rows])) == 1
    names = problem.column_groups
    assert names is not None
    assert names[:9].tolist() == ["p0 / h0"] * 9
    assert names[9:12].tolist() == ["p3"] * 3
    assert names[18:].tolist() == ["", "", "", "h9", "h9", ""]


def test_copies_share_a_fold_unless_they_are_ignored(tmp_path: Path) -> None:
    home = fresh(tmp_path)
    frame = samples_file.read(home.samples).frame
    frame.loc[1:4, "sha256"] = frame.loc[0, "sha256"]
    samples_file.write(home.samples, Samples(frame))
    split(home, plan=plan_of(duplicates="ignore"), display=QUIET)
    assert open_problem(home).groups is None
    home.folds.unlink()
    split(home, plan=plan_of(), display=QUIET)
    assert len(set(open_problem(home).folds[:5])) == 1


def test_nothing_but_copies_names_the_duplicates_as_the_cause(tmp_path: Path) -> None:
    home = fresh(tmp_path)
    frame = samples_file.read(home.samples).frame
    frame["sha256"] = frame.loc[0, "sha256"]
    samples_file.write(home.samples, Samples(frame))
    with pytest.raises(DataError, match=r"24 train rows, all in 1 group of .*duplicate") as caught:
        split(home, plan=plan_of(), display=QUIET)
    assert "duplicates: ignore" in caught.value.remedy
    assert not home.folds.exists()


def test_a_group_column_of_one_value_is_named_as_the_cause(tmp_path: Path) -> None:
    home = fresh(tmp_path, columns={"group": ["site"]})
    with_cells(home, site=["here"] * 24)
    with pytest.raises(DataError, match=r"all in 1 group by columns\.group \(site\)"):
        split(home, plan=plan_of(), display=QUIET)


def test_dates_are_cut_into_blocks_with_a_gap_in_days(tmp_path: Path) -> None:
    home = fresh(tmp_path, columns={"order": "taken"})
    with_cells(home, taken=[f"2024-01-{day:02d}" for day in range(1, 25)])
    split(home, plan=plan_of(scheme="time_blocks", gap=2), display=QUIET)
    problem = open_problem(home)
    assert problem.folds.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert np.flatnonzero(problem.gap_rows(1)).tolist() == [6, 7, 16, 17]


def test_frames_that_count_anew_in_each_track_cannot_be_blocks(tmp_path: Path) -> None:
    home = fresh(tmp_path, group_size=6, columns={"order": "frame", "group": ["track"]})
    with_cells(home, frame=[str(k % 6) for k in range(24)])
    with pytest.raises(DataError, match=r"track0 \(0 to 5\) and track1 \(0 to 5\)"):
        split(home, plan=plan_of(scheme="time_blocks"), display=QUIET)


def test_a_scheme_without_its_column_is_refused(tmp_path: Path) -> None:
    home = fresh(tmp_path)
    with pytest.raises(ConfigError, match=r"needs columns\.order"):
        split(home, plan=plan_of(scheme="time_blocks"), display=QUIET)
    with pytest.raises(ConfigError, match="no column 'fold'") as caught:
        split(home, plan=plan_of(scheme="column", column="fold"), display=QUIET)
    assert "label" in caught.value.remedy


def test_folds_of_a_column_are_taken(tmp_path: Path) -> None:
    home = fresh(tmp_path)
    given = pd.Series(range(24)) % 4
    with_cells(home, part=given.astype(str))
    split(home, plan=plan_of(scheme="column", column="part", duplicates="ignore"), display=QUIET)
    assert open_problem(home).folds.tolist() == given.tolist()
