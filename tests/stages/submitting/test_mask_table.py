"""Masks as a table: each form of sample submission, and every mistake that a file can have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from foldwise.errors import ConfigError, DataError, RunError
from foldwise.masks.text import read_cells
from foldwise.stages.submit import check_submission
from foldwise.stages.submitting.mask_shape import mask_shape
from foldwise.stages.submitting.masks import write_masks_submission
from foldwise.tables import read_table

from .mask_problems import SIZES, answers, by_number, make_problem

BY_ID = {"id": [f"{name}_{n}" for name in ("b", "a_1", "c") for n in (2, 1)], "Pixels": [""] * 6}
BY_COLUMN = {
    "kind": ["crack", "hole"] * 3,
    "image": [name for name in ("c", "b", "a_1") for _ in range(2)],
    "rle": ["-1"] * 6,
}
BY_CLASS = {"id": ["b", "c", "a_1"], "hole": ["1 0"] * 3, "crack": ["1 0"] * 3}

#: Sample and class → the cell, worked out by hand: pixels are counted down the columns from 1.
WANTED = {
    ("a_1", "crack"): "2 2",
    ("a_1", "hole"): "1 1 4 1",
    ("b", "crack"): "",
    ("b", "hole"): "1 1 3 1",
    ("c", "crack"): "2 3",
    ("c", "hole"): "1 1 5 1",
}


def write(folder: Path, sample: Mapping[str, Sequence[str]] | None, **config) -> tuple[Path, tuple]:
    problem = make_problem(folder / "home", sample=sample, **config)
    path = folder / "answer.csv"
    notes = write_masks_submission(path, problem, answers(), name="a")
    assert check_submission(problem.home, path) == []
    return path, notes


def test_ids_that_end_in_a_number_of_the_class(tmp_path):
    path, notes = write(tmp_path, BY_ID, masks=by_number())
    frame = read_table(path).frame
    assert list(frame.columns) == ["id", "Pixels"]
    assert list(frame["id"]) == BY_ID["id"]
    called = {"1": "crack", "2": "hole"}
    for cell, name in zip(frame["Pixels"], frame["id"], strict=True):
        sample, _, number = name.rpartition("_")
        assert cell == WANTED[sample, called[number]]
    assert notes == ()


def test_a_column_that_names_the_class(tmp_path):
    path, _ = write(tmp_path, BY_COLUMN)
    frame = read_table(path).frame
    assert list(frame.columns) == ["kind", "image", "rle"]
    rows = zip(frame["image"], frame["kind"], frame["rle"], strict=True)
    found = {(sample, label): cell for sample, label, cell in rows}
    assert found == {key: cell or "-1" for key, cell in WANTED.items()}
    assert list(frame["image"]) == BY_COLUMN["image"]


def test_a_column_for_each_class(tmp_path):
    path, _ = write(tmp_path, BY_CLASS)
    frame = read_table(path).frame
    assert list(frame["id"]) == BY_CLASS["id"]
    for label in ("crack", "hole"):
        for sample, cell in zip(frame["id"], frame[label], strict=True):
            assert cell == (WANTED[sample, label] or "1 0")


def test_columns_called_otherwise_are_named_in_the_configuration(tmp_path):
    sample = {"id": ["b", "c", "a_1"], "p_h": [""] * 3, "p_c": [""] * 3}
    with pytest.raises(ConfigError, match="p_h, p_c is none of crack, hole"):
        write(tmp_path / "unsaid", sample)
    columns = {"p_h": "hole", "p_c": "crack"}
    frame = read_table(write(tmp_path, sample, columns=columns)[0]).frame
    assert frame["p_h"].tolist() == [WANTED[name, "hole"] for name in ("b", "c", "a_1")]


def test_without_a_sample_a_row_for_each_sample_and_class(tmp_path):
    frame = read_table(write(tmp_path, None, masks=by_number())[0]).frame
    assert list(frame["id"]) == [f"{name}_{n}" for name in sorted(SIZES) for n in (1, 2)]
    assert list(frame["rle"])[:2] == ["2 2", "1 1 4 1"]


def test_along_the_rows_and_from_pixel_0(tmp_path):
    path, _ = write(tmp_path, BY_ID, masks=by_number(order="rows", first=0))
    frame = read_table(path).frame
    cell = dict(zip(frame["id"], frame["Pixels"], strict=True))["a_1_1"]
    assert cell == "4 1 8 1"  # Rows 1 and 2 of a column 0, of an image 4 wide.


def test_what_is_written_reads_back_as_the_same_masks(tmp_path):
    frame = read_table(write(tmp_path, BY_CLASS)[0]).frame.set_index("id").loc[list(SIZES)]
    masks = answers()
    heights, widths = np.array(list(SIZES.values())).T
    for place, label in enumerate(("crack", "hole")):
        back = read_cells(list(frame[label]), heights, widths, empty="1 0")
        ours = masks.runs.take(np.arange(place, 6, 2))
        assert (back.starts == ours.starts).all()
        assert (back.lengths == ours.lengths).all()
        assert (back.offsets == ours.offsets).all()


def test_damaged_images_get_empty_masks_and_are_named(tmp_path):
    problem = make_problem(tmp_path / "home", sample=BY_ID, damaged=["b"], masks=by_number())
    path = tmp_path / "answer.csv"
    notes = write_masks_submission(path, problem, answers(samples=("a_1", "c")), name="a")
    assert notes == ("1 damaged test images get empty masks: b",)
    assert (
        dict(zip(*(read_table(path).frame[c] for c in ("id", "Pixels")), strict=True))["b_2"] == ""
    )
    assert check_submission(problem.home, path) == []


def test_samples_that_there_are_not_are_refused(tmp_path):
    sample = {"id": [*BY_ID["id"], "x_1", "x_2"], "Pixels": [""] * 8}
    problem = make_problem(tmp_path / "home", sample=sample, masks=by_number())
    with pytest.raises(RunError, match=r"1 samples of .*sample.csv have no prediction: x"):
        write_masks_submission(tmp_path / "answer.csv", problem, answers(), name="a")
    assert not (tmp_path / "answer.csv").exists()


def test_a_sample_submission_that_asks_twice_is_refused_by_its_row(tmp_path):
    sample = {name: [*cells, cells[0]] for name, cells in BY_COLUMN.items()}
    problem = make_problem(tmp_path / "home", sample=sample)
    with pytest.raises(DataError, match=r"sample.csv:8: .* asks for c, crack twice"):
        mask_shape(problem.home, problem.competition)


GOOD = ["id,Pixels", "b_2,1 1", "b_1,", "a_1_2,1 1 4 1", "a_1_1,2 2", "c_2,", "c_1,16 1"]
WRONG = {
    "outside": (
        ("c_1,16 1", "c_1,16 2"),
        ":7: c_1: column 'Pixels': run 1, 16 2, ends at pixel 17",
    ),
    "odd": (("a_1_1,2 2", "a_1_1,2 2 7"), ":5: a_1_1: column 'Pixels': found 3 numbers"),
    "unsorted": (("a_1_2,1 1 4 1", "a_1_2,4 1 1 1"), ":4: a_1_2.* starts before the one before"),
    "overlap": (("a_1_2,1 1 4 1", "a_1_2,1 4 4 1"), ":4: a_1_2.* overlaps the one before it"),
    "no number": (("b_2,1 1", "b_2,1 x"), ":2: b_2: .*number 2 is 'x'"),
    "zero": (("b_2,1 1", "b_2,0 1"), ":2: b_2: .*run 1, 0 1, starts before pixel 1"),
    "missing": (("b_1,\n", ""), "1 of 6 ids are missing: b_1"),
    "unknown": (("b_1,", "b_3,"), "id 'b_3' is not asked for"),
    "twice": (("b_1,", "b_2,"), "id 'b_2' is there already in line 2"),
    "order": (("b_2,1 1\nb_1,", "b_1,\nb_2,1 1"), "ids are in another order"),
    "column": (("Pixels", "pixels"), "column 'Pixels' is missing; rename 'pixels'"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_file_is_told_by_sample_and_row(tmp_path, mistake):
    problem = make_problem(tmp_path / "home", sample=BY_ID, masks=by_number())
    path = tmp_path / "answer.csv"
    text = "\n".join(GOOD) + "\n"
    path.write_text(text)
    assert check_submission(problem.home, path) == []
    (old, new), wanted = WRONG[mistake]
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    problems = check_submission(problem.home, path)
    assert any(re.search(wanted, problem) for problem in problems), problems


def test_all_mistakes_are_told_at_once(tmp_path):
    problem = make_problem(tmp_path / "home", sample=BY_ID, masks=by_number())
    path = tmp_path / "answer.csv"
    rows = [*GOOD[:3], "a_1_2,4 1 1 1", "a_1_1,1 2 3", "c_2,", "x_1,"]
    path.write_text("\n".join(rows) + "\n")
    told = "\n".join(check_submission(problem.home, path))
    for wanted in ("a_1_2", "a_1_1", "'x_1' is not asked for", "ids are missing: c_1"):
        assert wanted in told


def test_exclusive_classes_must_not_overlap(tmp_path):
    problem = make_problem(tmp_path / "home", sample=BY_ID, masks=by_number(exclusive=True))
    path = tmp_path / "answer.csv"
    path.write_text("\n".join(GOOD) + "\n")
    assert check_submission(problem.home, path) == []
    path.write_text("\n".join(GOOD).replace("a_1_1,2 2", "a_1_1,1 4") + "\n")
    (told,) = check_submission(problem.home, path)
    assert "a_1: 2 pixels are of two classes or more" in told


def test_rows_beside_a_class_column_are_told_by_both(tmp_path):
    problem = make_problem(tmp_path / "home", sample=BY_COLUMN)
    path = tmp_path / "answer.csv"
    rows = [f"{k},{i},-1" for k, i in zip(BY_COLUMN["kind"], BY_COLUMN["image"], strict=True)]
    path.write_text("\n".join(["kind,image,rle", *rows]) + "\n")
    assert check_submission(problem.home, path) == []
    rows[2] = "hole,b,9 9"
    path.write_text("\n".join(["kind,image,rle", *rows]) + "\n")
    told = "\n".join(check_submission(problem.home, path))
    assert "ids are missing: b, crack" in told
    assert "'b, hole' is there already in line 4" in told
    assert ":4: b, hole: column 'rle': run 1, 9 9, ends at pixel 17" in told
