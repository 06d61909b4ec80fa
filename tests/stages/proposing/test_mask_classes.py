"""Classes of masks by number and name, from columns and from words."""

from __future__ import annotations

import pandas as pd
import pytest

from foldwise.stages.proposing.mask_classes import (
    class_columns,
    clean_cells,
    ignored_in_text,
    named_classes,
    names_beside,
    names_in_text,
)

TILES = "- defect (0 clean, 1 blowhole, 2 break, 3 crack, 4 fray, 5 uneven), defect_name, rle"
STREETS = (
    "2. segmentation: an 8-bit png a test frame, 320x240, class index a pixel.\n"
    "metric: mean iou over classes 0-10.\n"
    "classes: 0 sky, 1 building, 2 pole, 3 unlabelled (ignore 3).\nat least 150 pixels; car: 600."
)


@pytest.mark.parametrize(
    ("text", "values", "found"),
    [
        (TILES, [1, 5], {1: "blowhole", 5: "uneven", 0: "clean"}),
        (STREETS, [0, 1, 2], {0: "sky", 2: "pole", 3: "unlabelled"}),
        ("| 0 | road\n0: road\n1: tree top\n2: car", [0, 1, 2], {1: "tree top", 2: "car"}),
        (STREETS, [0, 7], {}),
        ("0 cat, 1 cat", [0, 1], {}),
        ("", [0], {}),
    ],
)
def test_numbers_that_a_text_names(text, values, found):
    told = names_in_text(text, values)
    assert {value: told[value] for value in found} == found
    assert bool(told) == bool(found)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (STREETS, [3]),
        ("pixels of value 255 are ignored", [255]),
        ("255 is void", [255]),
        ("ignoring class 7; 9 not counted", [7, 9]),
        ("30 frames, ignored", []),
    ],
)
def test_values_that_a_text_says_do_not_count(text, values):
    assert sorted(ignored_in_text(text)) == values


def test_clean_cells_have_no_mask_and_are_not_asked_for():
    classes, masks = ["0", "1", "0", "2", "3"], ["", "1 1", "", "", "5 1"]
    assert clean_cells(classes, masks, ()) == ["0", "2"]
    assert clean_cells(classes, masks, ("1", "2", "3")) == ["0"]
    assert clean_cells(["0", "0"], ["", "1 1"], ()) == []


def test_a_column_names_what_another_one_numbers():
    frame = pd.DataFrame(
        {"n": list("0120"), "other": list("5675"), "word": ["a", "b", "c", "a"], "x": list("aabb")}
    )
    beside, names = names_beside(frame, "n", ["n", "other", "x", "word"])
    assert (beside, names) == ("word", {"0": "a", "1": "b", "2": "c"})
    assert names_beside(frame, "n", ["other", "x"]) == ("", {})


def test_classes_keep_the_order_of_their_values():
    assert named_classes(["1", "10"], {"10": "a", "1": "b"}) == (("b", "a"), {"1": "b", "10": "a"})
    assert named_classes(["a", "b"], {}) == (("a", "b"), {})


def test_columns_named_after_classes_come_first():
    frame = pd.DataFrame({"site": list("aabb"), "defect": list("xxyy"), "one": ["z"] * 4})
    assert class_columns(frame, ["site", "defect", "one"], 300) == ["defect", "site"]
