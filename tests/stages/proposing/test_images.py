from __future__ import annotations

import numpy as np
import pytest

from foldwise.errors import DataError
from foldwise.stages.proposing.images import find_class_folders, find_images
from foldwise.stages.proposing.tables import find_tables
from tests.stages.proposing.raw_folder import names, write_pictures, write_table

TRAIN, TEST = names(6), names(3, 50)


def find(folder):
    tables = find_tables(folder)
    source = find_images(folder, tables.train, tables.test, "id")
    return None if source is None else source.images


def tables(folder, train=None, test=None):
    write_table(folder / "train.csv", {"id": TRAIN, **(train or {}), "label": list("ababab")})
    write_table(folder / "test.csv", {"id": TEST, **(test or {})})


@pytest.mark.parametrize("place", [".", "photos", "deep/er"])
def test_a_column_of_paths(tmp_path, place):
    train, test = ([f"x/{name}.jpg" for name in group] for group in (TRAIN, TEST))
    write_pictures(tmp_path / place, [*train, *test])
    tables(tmp_path, {"file_name": train}, {"file_name": test})
    images = find(tmp_path)
    assert (images.kind, images.column, images.train, images.test) == (
        "path",
        "file_name",
        place,
        place,
    )


def test_paths_of_masks_are_not_the_images(tmp_path):
    train, test = ([f"x/{name}.jpg" for name in group] for group in (TRAIN, TEST))
    masks = [f"masks/{name}.png" for name in TRAIN]
    write_pictures(tmp_path, [*train, *test, *masks])
    tables(tmp_path, {"mask_path": masks, "path": train}, {"path": test})
    assert find(tmp_path).column == "path"


def test_paths_in_a_folder_for_each_split(tmp_path):
    train, test = ([f"{name}.png" for name in group] for group in (TRAIN, TEST))
    write_pictures(tmp_path / "train_images", train)
    write_pictures(tmp_path / "test_images", test)
    tables(tmp_path, {"image": train}, {"image": test})
    images = find(tmp_path)
    assert (images.kind, images.train, images.test) == ("path", "train_images", "test_images")


def test_ids_and_an_ending_in_a_folder_for_each_split(tmp_path):
    write_pictures(tmp_path / "train_images", [f"{name}.png" for name in TRAIN])
    write_pictures(tmp_path / "test_images", [f"{name}.png" for name in TEST])
    tables(tmp_path)
    images = find(tmp_path)
    assert (images.kind, images.extension) == ("folder", ".png")
    assert (images.train, images.test) == ("train_images", "test_images")


def test_ids_that_have_their_ending(tmp_path):
    files = [f"{name}.JPG" for name in [*TRAIN, *TEST]]
    write_pictures(tmp_path / "all", files)
    write_table(tmp_path / "train.csv", {"id": files[:6], "label": list("ababab")})
    write_table(tmp_path / "test.csv", {"id": files[6:]})
    images = find(tmp_path)
    assert (images.kind, images.train, images.extension) == ("folder", "all", "")


def test_rows_of_arrays_by_an_index_column(tmp_path):
    pixels = np.zeros((9, 4, 4, 3), np.uint8)
    np.savez(tmp_path / "images.npz", test=pixels[:3], train=pixels[:6], label=np.arange(6))
    tables(tmp_path, {"index": [5, 4, 3, 2, 1, 0]}, {"index": [0, 1, 2]})
    images = find(tmp_path)
    assert (images.kind, images.column) == ("array", "index")
    assert (images.train, images.test) == ("images.npz:train", "images.npz:test")


def test_rows_of_arrays_in_the_order_of_the_table(tmp_path):
    np.save(tmp_path / "x_train.npy", np.zeros((6, 4, 4), np.uint8))
    np.save(tmp_path / "x_test.npy", np.zeros((3, 4, 4), np.uint8))
    tables(tmp_path)
    images = find(tmp_path)
    assert (images.kind, images.column) == ("array", None)
    assert (images.train, images.test) == ("x_train.npy", "x_test.npy")


def test_nothing_found_is_none(tmp_path):
    tables(tmp_path, {"path": [f"gone/{name}.png" for name in TRAIN]})
    assert find(tmp_path) is None


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
