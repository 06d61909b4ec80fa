"""Submissions of masks that differ: by a level of their maps, or by more."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.home import Home
from foldwise.maps.maps import Maps
from foldwise.predictions import Predictions
from foldwise.stages.answering.units import unit_dir
from foldwise.stages.proving.likeness import compared, scores_away
from foldwise.tasks.problem import Problem
from tests.stages.scoring.mask_competition import make_masks

UNITS = ("a/fold0-seed0", "a/fold1-seed0")


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return make_masks(tmp_path_factory.mktemp("alike") / "home")


def write_units(problem: Problem, home: Home, more: int) -> None:
    """Test maps of two units; one pixel of the second has a level that is higher by so much."""
    sizes = problem.test.frame[["height", "width"]].to_numpy(dtype=np.int64)
    for number, unit in enumerate(UNITS):

        def read(row: int, is_last: bool = unit == UNITS[-1], number: int = number) -> np.ndarray:
            levels = np.full((2, *sizes[row]), 100 + number + row, np.uint8)
            levels[1, 3, 2] += more * (is_last and row == 4)
            return levels

        maps = Maps(sizes, 2, np.arange(len(sizes)), read)
        ids = problem.test.ids
        if more:  # In another order, too.
            ids, maps = ids[::-1], maps[np.arange(len(sizes))[::-1]]
        path = unit_dir(home, unit).test
        path.parent.mkdir(parents=True, exist_ok=True)
        predictions_file.write(path, Predictions(ids, maps, problem.columns, kind="map"))


@pytest.mark.parametrize(("more", "passes"), [(0, True), (1, True), (2, False)])
def test_one_level_is_rounding_and_two_are_not(
    problem: Problem, tmp_path: Path, more: int, passes: bool
) -> None:
    there = Home(tmp_path)
    write_units(problem, problem.home, 0)
    write_units(problem, there, more)
    away = scores_away(problem, there, UNITS)
    assert away == pytest.approx(more / 255)
    own, given = tmp_path / "own.csv", tmp_path / "given.csv"
    own.write_text("id,mask\nt0_hole,1 2\nt0_crack,\nt1_hole,3 4\n")
    given.write_text("id,mask\nt0_hole,1 2\nt0_crack,\nt1_hole,3 5\n")
    found = compared(problem, own, given, away)
    assert found.passed is passes
    assert "1 of 3 answers differ: t1_hole" in found.detail


def test_other_rows_or_files_are_no_rounding(problem: Problem, tmp_path: Path) -> None:
    own, given = tmp_path / "own.csv", tmp_path / "given.csv"
    own.write_text("id,mask\nt0_hole,1 2\n")
    given.write_text("id,mask\nt0_hole,1 2\nt1_hole,\n")
    assert compared(problem, own, given, 0.0).passed is False
    zips = {name: tmp_path / f"{name}.zip" for name in ("own", "near", "far")}
    for name, path in zips.items():
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t0.png", b"same")
            archive.writestr("t1.png", name.encode())
            if name == "far":
                archive.writestr("t2.png", b"")
    near = compared(problem, zips["own"], zips["near"], 1 / 255)
    assert near.passed
    assert near.detail.endswith("1 of 2 answers differ: t1.png")
    assert compared(problem, zips["own"], zips["far"], 0.0).passed is False
