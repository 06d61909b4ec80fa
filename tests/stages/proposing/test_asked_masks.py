"""Which sample submissions ask for masks, and which only look as if."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.stages.proposing.asked_masks import find_asked_masks, holds_runs
from foldwise.tables import read_table

from .raw_folder import write_table

TEST = ["a", "b_1", "c"]
BOTH = [f"{name}_{n}" for name in TEST for n in (1, 2)]


def asked(folder: Path, sample, *, test=TEST, train_runs=()):
    write_table(folder / "sample.csv", sample)
    other = None
    if test is not None:
        write_table(folder / "test.csv", {"image": test, "width": [9] * len(test)})
        other = read_table(folder / "test.csv")
    return find_asked_masks(read_table(folder / "sample.csv"), other, train_runs)


@pytest.mark.parametrize("test", [TEST, None])
@pytest.mark.parametrize("cell", ["", "-1", "1 0", "1 1 5 2"])
def test_ids_that_end_in_the_class(tmp_path, test, cell):
    found = asked(tmp_path, {"id": BOTH, "EncodedPixels": [cell] * 6}, test=test)
    assert (found.names, found.values) == (("a", "b_1", "c"), ("1", "2"))


def test_ids_of_test_do_not_end_in_a_class_although_they_look_so(tmp_path):
    names = ["x_1", "x_2", "y_1", "y_2"]
    found = asked(tmp_path, {"id": names, "rle": [""] * 4}, test=names)
    assert (found.names, found.values) == (tuple(names), ())


def test_a_column_of_classes_beside_the_id(tmp_path):
    sample = {"id": [n for n in TEST for _ in "xy"], "rle": [""] * 6, "kind": ["x", "y"] * 3}
    found = asked(tmp_path, sample)
    assert (found.names, found.values, found.columns) == (tuple(TEST), ("x", "y"), ("rle",))


def test_a_column_for_each_class(tmp_path):
    sample = {"id": TEST, "crack": ["-1"] * 3, "hole": ["-1"] * 3}
    assert asked(tmp_path, sample) is None
    found = asked(tmp_path, sample, train_runs=["crack", "hole"])
    assert found.values == found.columns == ("crack", "hole")


@pytest.mark.parametrize(
    "sample",
    [
        {"id": TEST, "label": ["", "", ""]},
        {"id": TEST, "mask": ["0", "1", "0"]},  # Faces with a mask.
        {"id": TEST, "grade": ["-1"] * 3},
        {"id": TEST, "rle": [""] * 3, "score": ["0.5"] * 3, "why": ["x"] * 3},
        {"id": TEST, "tags": ["3 4", "5 6", "7 8"]},
        {"id": TEST},
    ],
)
def test_what_asks_for_no_masks(tmp_path, sample):
    assert asked(tmp_path, sample) is None


@pytest.mark.parametrize(
    ("name", "cells", "are_runs"),
    [
        ("rle", ["1 2", "", "5 1"], True),
        ("code", ["1 2 7 3", "", "5 1"], True),
        ("code", ["1 2 7 3 9 9 12 1 15 1"] * 3, True),
        ("box", ["1 2 7 3", "4 4 5 5"], False),
        ("rle", ["", "-1"], False),
        ("rle", ["1 2"] * 30 + ["slip"], True),
        ("rle", ["1 2", "slip"], False),
        ("age", ["31", "32"], False),
        ("words", ["one two", "three"], False),
    ],
)
def test_columns_that_hold_runs(name, cells, are_runs):
    assert holds_runs(name, cells) == are_runs
