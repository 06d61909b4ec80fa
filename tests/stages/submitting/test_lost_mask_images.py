"""Test images that nothing can be said of: what stands for their masks, and how large it is."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foldwise import samples as samples_file
from foldwise.masks.text import read_cells
from foldwise.stages.submit import check_submission
from foldwise.stages.submitting.lost_images import with_sizes
from foldwise.stages.submitting.masks import write_masks_submission
from foldwise.tables import read_table
from foldwise.tasks.problem import Problem

from .mask_problems import SIZES, answers, by_number, index, make_problem

OTHERS = ("a_1", "c")


def write_header(problem: Problem, name: str, size: tuple[int, int]) -> None:
    """An image of that height and width, whose pixels are cut off."""
    buffer = io.BytesIO()
    Image.new("L", size[::-1]).save(buffer, format="PNG")
    path = problem.home.path / "data" / "images" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(buffer.getvalue()[:-20])


def images_problem(folder: Path, **changes: Any) -> Problem:
    return make_problem(folder / "home", masks=index(), form="images", damaged=["b"], **changes)


def image_in(path: Path, name: str) -> np.ndarray:
    with zipfile.ZipFile(path) as archive, Image.open(io.BytesIO(archive.read(name))) as image:
        return np.asarray(image)


def test_an_image_gets_the_commonest_class_at_the_size_of_its_header(tmp_path: Path) -> None:
    problem, path = images_problem(tmp_path), tmp_path / "answer.zip"
    write_header(problem, "b", SIZES["b"])
    masks = answers(exclusive=True, samples=OTHERS)
    notes = write_masks_submission(path, problem, masks, name="a")
    assert notes == ("1 damaged test images get hole everywhere: b",)
    np.testing.assert_array_equal(image_in(path, "b.png"), np.full(SIZES["b"], 3))
    assert check_submission(problem.home, path) == []


@pytest.mark.parametrize("header", [None, (20_000, 20_000)])
def test_where_nobody_knows_the_size_it_is_the_commonest(tmp_path: Path, header: Any) -> None:
    problem, path = images_problem(tmp_path), tmp_path / "answer.zip"
    if header is not None:  # More than an image may have: such masks would fill the memory.
        write_header(problem, "b", header)
    masks = answers(exclusive=True, samples=OTHERS)
    notes = write_masks_submission(path, problem, masks, name="a")
    assert "the commonest size, 3 x 4" in notes[1]  # Of as common ones the smallest.
    assert image_in(path, "b.png").shape == (3, 4)
    assert check_submission(problem.home, path) == []


def test_cells_of_exclusive_classes_are_filled_where_the_size_is_known(tmp_path: Path) -> None:
    masks = {"kind": "runs", "column": "rle", "class_column": "kind", "exclusive": True}
    problem = make_problem(tmp_path / "home", masks=masks, damaged=["b"])
    given, path = answers(exclusive=True, samples=OTHERS), tmp_path / "answer.csv"
    notes = write_masks_submission(path, problem, given, name="a")
    assert notes == ("1 damaged test images get empty masks: b",)
    write_header(problem, "b", SIZES["b"])
    notes = write_masks_submission(path, problem, given, name="a")
    assert notes == ("1 damaged test images get hole everywhere: b",)
    frame = read_table(path).frame
    cells = dict(zip(frame["id"], frame["rle"], strict=True))
    assert cells["b_crack"] == ""
    (area,) = read_cells([cells["b_hole"]], np.array([2]), np.array([5])).areas
    assert area == 10
    assert check_submission(problem.home, path) == []


def test_masks_that_may_overlap_are_empty(tmp_path: Path) -> None:
    problem = make_problem(tmp_path / "home", masks=by_number(), damaged=["b"])
    write_header(problem, "b", SIZES["b"])
    path = tmp_path / "answer.csv"
    notes = write_masks_submission(path, problem, answers(samples=OTHERS), name="a")
    assert notes == ("1 damaged test images get empty masks: b",)


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    problem = make_problem(tmp_path / "home", masks=by_number(), damaged=["a_1", "b", "c"])
    write_header(problem, "c", (7, 9))
    folder = problem.home.path / "data" / "images"
    (folder / "b.png").mkdir()  # "a_1" is not there.
    test = samples_file.read(problem.home.samples).part("test")
    found = with_sizes(test, problem.home, problem.competition).frame
    assert found[["height", "width"]].to_numpy().tolist() == [[0, 0], [0, 0], [7, 9]]
