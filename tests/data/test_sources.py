from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from foldwise.data.sources import ImageRef, content_hash, hash_all, read
from foldwise.errors import DataError

from .pictures import photo

ROWS = np.stack([photo(6, 8, seed=k) for k in range(5)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "plain.npy", ROWS)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(ROWS))
    np.savez(tmp_path / "stored.npz", first=ROWS[:1], train=ROWS)
    np.savez_compressed(tmp_path / "packed.npz", first=ROWS[:1], train=ROWS)
    (tmp_path / "a.png").write_bytes(b"not looked at")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "array"),
    [("plain.npy", None), ("fortran.npy", None), ("stored.npz", "train"), ("packed.npz", "train")],
)
def test_rows_of_arrays_are_read(folder: Path, file: str, array: str | None) -> None:
    for index in (0, 4):
        assert (read(ImageRef(folder / file, array, index)) == ROWS[index]).all()


def test_uncompressed_rows_are_mapped_not_loaded(folder: Path) -> None:
    for ref in (
        ImageRef(folder / "plain.npy", None, 1),
        ImageRef(folder / "stored.npz", "train", 1),
    ):
        assert isinstance(read(ref), np.memmap)


def test_a_replaced_array_is_read_anew(folder: Path) -> None:
    ref = ImageRef(folder / "plain.npy", None, 0)
    read(ref)
    np.save(folder / "plain.npy", ROWS[:, :, :, :1])
    row = read(ref)
    assert isinstance(row, np.ndarray)
    assert row.shape == (6, 8, 1)


def test_errors_name_array_and_row(folder: Path) -> None:
    with pytest.raises(DataError, match=r"plain.npy\[5\]: no such row; the array has 5"):
        read(ImageRef(folder / "plain.npy", None, 5))
    with pytest.raises(DataError, match="no array 'test'; it holds first, train"):
        read(ImageRef(folder / "stored.npz", "test", 0))
    with pytest.raises(DataError, match="needs the name of its array; it holds first, train"):
        read(ImageRef(folder / "stored.npz", None, 0))
    with pytest.raises(DataError, match="not a readable npy or npz"):
        read(ImageRef(folder / "a.png", None, 0))
    np.save(folder / "flat.npy", ROWS.reshape(5, -1))
    with pytest.raises(DataError, match=r"found shape \(5, 144\)"):
        read(ImageRef(folder / "flat.npy", None, 0))


def test_objects_are_never_unpickled(folder: Path) -> None:
    np.save(folder / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    np.savez(folder / "objects.npz", x=np.array([{}, {}], dtype=object))
    for ref in (
        ImageRef(folder / "objects.npy", None, 0),
        ImageRef(folder / "objects.npz", "x", 0),
    ):
        with pytest.raises(DataError, match="objects"):
            read(ref)


def test_hash_of_a_file_is_plain_sha256_and_of_a_row_knows_shape_and_type(folder: Path) -> None:
    assert content_hash(b"abc") == hashlib.sha256(b"abc").hexdigest()
    flat = np.arange(12, dtype=np.uint8)
    hashes = {
        content_hash(flat.reshape(3, 4)),
        content_hash(flat.reshape(4, 3)),
        content_hash(flat.reshape(3, 4).view(np.int8)),
        content_hash(flat.tobytes()),
    }
    assert len(hashes) == 4
    assert content_hash(flat.reshape(3, 4)) == content_hash(np.asfortranarray(flat.reshape(3, 4)))


def test_hash_all_is_none_where_nothing_can_be_read(folder: Path) -> None:
    refs = [
        ImageRef(folder / "a.png"),
        ImageRef(folder / "gone.png"),
        ImageRef(folder / "plain.npy", None, 2),
        ImageRef(folder / "plain.npy", None, 9),
    ]
    assert hash_all(refs) == [content_hash(b"not looked at"), None, content_hash(ROWS[2]), None]


def test_keys_say_where_an_image_is() -> None:
    assert ImageRef(Path("a/7.png")).key == "a/7.png"
    assert ImageRef(Path("x.npz"), "train", 7).key == "x.npz:train[7]"
    assert ImageRef(Path("x.npy"), None, 7).key == "x.npy[7]"
