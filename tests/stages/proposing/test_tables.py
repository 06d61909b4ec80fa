from __future__ import annotations

import pytest

from foldwise.errors import DataError
from foldwise.stages.proposing.tables import find_tables
from tests.stages.proposing.raw_folder import names, write_table

TRAIN = {"id": names(6), "grade": [0, 1, 2] * 2}
TEST = {"id": names(3, 50), "width": [1, 2, 3]}
SAMPLE = {"id": names(3, 50), "grade": [0] * 3}


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("place", ["", "tables/"])
def test_tables_are_found_by_name(tmp_path, ending, place):
    write_table(tmp_path / f"{place}train.{ending}", TRAIN)
    write_table(tmp_path / f"{place}test.{ending}", TEST)
    write_table(tmp_path / f"{place}sample_submission.{ending}", SAMPLE)
    found = find_tables(tmp_path)
    stems = [t.path.stem for t in (found.train, found.test, found.sample)]
    assert stems == ["train", "test", "sample_submission"]


@pytest.mark.parametrize(
    ("train", "test", "sample"),
    [
        ("trainLabels", "testImages", "sampleSubmission"),
        ("train_labels", "test_set", "SampleSubmission"),
        ("a", "b", "c"),
        ("labels", "to_predict", "answers"),
    ],
)
def test_tables_are_found_by_content_where_names_say_little(tmp_path, train, test, sample):
    write_table(tmp_path / f"{train}.csv", TRAIN)
    write_table(tmp_path / f"{test}.csv", TEST)
    write_table(tmp_path / f"{sample}.csv", SAMPLE)
    found = find_tables(tmp_path)
    assert [t.path.stem for t in (found.train, found.test, found.sample)] == [train, test, sample]


def test_of_two_train_tables_the_one_with_what_is_asked_is_taken(tmp_path):
    write_table(tmp_path / "train.csv", {"id": names(6), "hospital": list("aabbcc")})
    write_table(tmp_path / "train_grades.csv", TRAIN)
    write_table(tmp_path / "test.csv", TEST)
    write_table(tmp_path / "sample_submission.csv", SAMPLE)
    found = find_tables(tmp_path)
    assert found.train.path.name == "train_grades.csv"
    assert any(note.value == "train.csv" and note.reason == "not used" for note in found.notes)


def test_without_a_test_table_the_sample_submission_lists_the_test_rows(tmp_path):
    write_table(tmp_path / "train.csv", TRAIN)
    write_table(tmp_path / "sample_submission.csv", SAMPLE)
    found = find_tables(tmp_path)
    assert found.test is found.sample


def test_a_broken_stray_table_is_left_aside_and_said(tmp_path):
    write_table(tmp_path / "train.csv", TRAIN)
    (tmp_path / "notes.csv").write_text("a,b\n1\n")
    found = find_tables(tmp_path)
    assert found.train is not None
    assert any("left aside" in note.reason for note in found.notes)


def test_a_broken_train_table_is_an_error(tmp_path):
    (tmp_path / "train.csv").write_text("id,label\n1\n")
    with pytest.raises(DataError, match=r"train\.csv"):
        find_tables(tmp_path)


def test_a_folder_of_a_table_per_image_is_not_read(tmp_path):
    write_table(tmp_path / "train.csv", TRAIN)
    for index in range(30):
        write_table(tmp_path / "boxes" / f"train_{index}.csv", {"x": [1]})
    assert len(find_tables(tmp_path).seen) == 1
