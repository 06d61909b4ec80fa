from __future__ import annotations

import pytest

from foldwise.errors import DataError
from foldwise.stages.proposing.class_folders import find_class_folders
from tests.stages.proposing.raw_folder import write_pictures


@pytest.mark.parametrize(("root", "test"), [("train", "test"), (".", None), ("data/train", "test")])
def test_a_folder_for_each_class(tmp_path, root, test):
    for name in ("cat", "dog", "emu"):
        write_pictures(tmp_path / root / name, ["1.png", "2.png"])
    if test:
        write_pictures(tmp_path / test, ["9.png"])
    found = find_class_folders(tmp_path)
    assert (found.root, sorted(found.cells)) == (root, sorted(["cat", "dog", "emu"] * 2))
    assert found.test == test


def test_train_and_test_images_side_by_side_are_no_classes(tmp_path):
    write_pictures(tmp_path / "train_images", ["1.png"])
    write_pictures(tmp_path / "test_images", ["2.png"])
    assert find_class_folders(tmp_path) is None


def test_test_images_among_the_classes_are_an_error(tmp_path):
    for name in ("cat", "dog", "test"):
        write_pictures(tmp_path / name, ["1.png", "2.png"])
    with pytest.raises(DataError, match="lies among"):
        find_class_folders(tmp_path)


def test_folders_of_other_splits_are_told(tmp_path):
    for split in ("train", "val", "test"):
        for name in ("cat", "dog"):
            write_pictures(tmp_path / split / name, ["1.png", "2.png"])
    found = find_class_folders(tmp_path)
    assert (found.root, found.test, found.unused) == ("train", "test", {"val": 4})


def test_a_contest_is_no_test(tmp_path):
    for name in ("cat", "dog"):
        write_pictures(tmp_path / "contest" / name, ["1.png"])
    assert find_class_folders(tmp_path).root == "contest"
