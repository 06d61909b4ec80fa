from __future__ import annotations

import pytest

from foldwise.errors import DataError
from foldwise.stages.proposing.asked import find_asked
from foldwise.stages.proposing.columns import find_id, find_meaning
from foldwise.stages.proposing.tables import find_tables
from tests.stages.proposing.raw_folder import names, write_table

IDS, TEST_IDS = names(12), names(4, 50)
GRADES = [0, 1, 2] * 4


def look(folder, train, test=None, asked=None):
    write_table(folder / "train.csv", {"id": IDS, **train})
    write_table(folder / "test.csv", {"id": TEST_IDS, **(test or {})})
    if asked is not None:
        write_table(folder / "sample_submission.csv", {"id": TEST_IDS, **asked})
    tables = find_tables(folder)
    three = tables.train, tables.test, tables.sample
    asked = find_asked(*three, find_id(*three))
    return asked, find_meaning(tables.train, tables.test, asked, None)


def test_the_label_is_what_the_sample_submission_asks_for(tmp_path):
    train = {"label": list("abc") * 4, "target": GRADES}
    asked, meaning = look(tmp_path, train, asked={"target": [0] * 4})
    assert (asked.id, asked.targets) == ("id", ("target",))
    only = next(note for note in meaning.notes if note.topic == "only in train")
    assert only.value == "label"
    assert "under another name" in only.reason


def test_columns_named_like_classes_mean_the_column_that_holds_them(tmp_path):
    train = {"target": GRADES, "label": ["ape", "bear", "cow"] * 4}
    asked, _ = look(tmp_path, train, asked=dict.fromkeys(("ape", "bear", "cow"), [0.3] * 4))
    assert (asked.targets, asked.renamed) == (("label",), {})


def test_columns_named_like_classes_with_a_common_start(tmp_path):
    sample = dict.fromkeys(("p_ape", "p_bear", "p_cow"), [0.3] * 4)
    asked, _ = look(tmp_path, {"label": ["ape", "bear", "cow"] * 4}, asked=sample)
    assert asked.renamed == {"p_ape": "ape", "p_bear": "bear", "p_cow": "cow"}


def test_a_column_of_another_name_is_found_by_its_values(tmp_path):
    asked, _ = look(tmp_path, {"grade": GRADES}, asked={"Predicted": [2] * 4})
    assert (asked.targets, asked.renamed) == (("grade",), {"Predicted": "grade"})


def test_without_a_sample_submission_the_label_is_what_test_lacks(tmp_path):
    asked, _ = look(tmp_path, {"width": GRADES, "severity": GRADES}, {"width": [1] * 4})
    assert asked.targets == ("severity",)


def test_an_answer_that_train_does_not_hold_is_an_error(tmp_path):
    with pytest.raises(DataError, match="EncodedPixels"):
        look(tmp_path, {"grade": GRADES}, asked={"EncodedPixels": [""] * 4})


def test_several_rows_for_an_image_are_an_error(tmp_path):
    write_table(tmp_path / "train.csv", {"id": IDS[:6] * 2, "label": GRADES})
    write_table(tmp_path / "sample_submission.csv", {"id": TEST_IDS, "label": [0] * 4})
    tables = find_tables(tmp_path)
    with pytest.raises(DataError, match="several rows per image"):
        find_id(tables.train, tables.test, tables.sample)


@pytest.mark.parametrize("column", ["patient_id", "PatientID", "track", "burst", "site"])
def test_a_group_is_known_by_name_and_repeats(tmp_path, column):
    _, meaning = look(tmp_path, {"grade": GRADES, column: list("aabbccddeeff")})
    assert meaning.group == (column,)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (IDS, "hardly repeat"),
        (["x"] * 12, "too few"),
        (["one", "two", "three"] * 4, "under another name"),
    ],
)
def test_a_group_by_name_that_its_content_belies_is_said(tmp_path, cells, why):
    _, meaning = look(tmp_path, {"grade": GRADES, "patient": cells}, asked={"grade": [0] * 4})
    assert meaning.group == ()
    assert any(why in note.reason for note in meaning.notes)


def test_groups_that_test_shares_are_not_held_out(tmp_path):
    train = {"grade": GRADES, "site": list("aabbccddeeff")}
    asked = {"grade": [0] * 4}
    _, meaning = look(tmp_path, train, {"site": list("abcd")}, asked)
    assert meaning.group == ()
    _, meaning = look(tmp_path, train, {"site": list("wxyz")}, asked)
    assert meaning.group == ("site",)


def test_one_group_column_is_taken_since_two_would_split_finer(tmp_path):
    train = {"grade": GRADES, "site": list("aaabbbcccddd"), "patient": list("aabbccddeeff")}
    _, meaning = look(tmp_path, train, asked={"grade": [0] * 4})
    assert meaning.group == ("patient",)
    assert any("site is not used beside patient" in note.reason for note in meaning.notes)


def test_order_rises_within_the_group(tmp_path):
    train = {"grade": GRADES, "track": list("aaabbbcccddd"), "frame": [1, 2, 3] * 4}
    _, meaning = look(tmp_path, train)
    assert meaning.order == "frame"
    train["frame"] = [1] * 12
    assert look(tmp_path, train)[1].order is None
    train["frame"] = list("abcabcabcabc")
    assert look(tmp_path, train)[1].order is None
