from __future__ import annotations

import numpy as np
import pytest

from foldwise.errors import ConfigError, DataError
from foldwise.stages.proposing.images import find_images
from foldwise.stages.proposing.tables import find_tables
from tests.stages.proposing.raw_folder import names, write_pictures, write_table

TRAIN, TEST = names(6), names(3, 50)


def find(folder, *said):
    tables = find_tables(folder)
    source = find_images(folder, tables.train, tables.test, "id", said)
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


def test_each_id_with_its_own_ending(tmp_path):
    files = [f"{name}.{'png' if i % 2 else 'jpg'}" for i, name in enumerate([*TRAIN, *TEST])]
    write_pictures(tmp_path / "all", files)
    tables(tmp_path)
    assert (find(tmp_path).train, find(tmp_path).extension) == ("all", ".*")


def test_one_ending_for_train_and_another_for_test(tmp_path):
    write_pictures(tmp_path / "a", [f"{name}.png" for name in TRAIN])
    write_pictures(tmp_path / "b", [f"{name}.jpg" for name in TEST])
    tables(tmp_path)
    images = find(tmp_path)
    assert (images.train, images.test, images.extension) == ("a", "b", ".*")


def test_a_folder_that_was_said_is_taken_among_several(tmp_path):
    for place in ("big", "small"):
        write_pictures(tmp_path / place, [f"{name}.png" for name in [*TRAIN, *TEST]])
    tables(tmp_path)
    assert find(tmp_path).train == "big"
    assert find(tmp_path, "small").train == "small"
    with pytest.raises(ConfigError, match="--images tiny: no column"):
        find(tmp_path, "tiny")


def test_a_broken_npz_is_named_and_objects_in_one_are_no_images(tmp_path):
    tables(tmp_path)
    pixels = np.zeros((6, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", x=pixels, y=pixels[:3], o=np.array([{}] * 6, dtype=object))
    assert find(tmp_path).train == "a.npz:x"
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:200])
    with pytest.raises(DataError, match=r"b.npz: not a readable"):
        find(tmp_path)
