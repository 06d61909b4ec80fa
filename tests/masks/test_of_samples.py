"""Masks of samples: taken by row, and back from disk as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise.errors import DataError
from foldwise.masks.of_samples import (
    Masks,
    empty_masks,
    joined_masks,
    masks_of,
    read_masks,
    write_masks,
)
from foldwise.masks.runs import decode, encode

NAMES = ["c", "a", "b", "d"]
SIZES = [(3, 4), (5, 2), (1, 1), (4, 6)]


def pixels(seed: int = 0, share: float = 0.4) -> list[np.ndarray]:
    """(3, H, W) bool of each sample: two classes and what is ignored; the third has none."""
    rng = np.random.default_rng(seed)
    found = [rng.random((3, *size)) < share for size in SIZES]
    found[2][:] = False
    return found


def masks_from(arrays: list[np.ndarray], *, with_ignored: bool = True) -> Masks:
    runs = encode([mask for array in arrays for mask in array[:2]])
    ignored = encode([array[2] for array in arrays]) if with_ignored else None
    return Masks(runs, 2, ignored)


def assert_are(masks: Masks, arrays: list[np.ndarray]) -> None:
    assert len(masks) == len(arrays)
    wanted = [mask for array in arrays for mask in array[:2]]
    for found, mask in zip(decode(masks.runs), wanted, strict=True):
        np.testing.assert_array_equal(found, mask)
    if masks.ignored is not None:
        for found, array in zip(decode(masks.ignored), arrays, strict=True):
            np.testing.assert_array_equal(found, array[2])


@pytest.mark.parametrize("with_ignored", [True, False])
def test_masks_come_back_as_they_were(tmp_path: Path, with_ignored: bool) -> None:
    arrays = pixels()
    masks = masks_from(arrays, with_ignored=with_ignored)
    write_masks(tmp_path / "masks.parquet", NAMES, masks)
    names, found = read_masks(tmp_path / "masks.parquet")
    assert names.tolist() == NAMES
    assert (found.ignored is not None) == with_ignored
    assert_are(found, arrays)
    assert found.tobytes() == masks.tobytes()
    some = masks_of(tmp_path / "masks.parquet", ["d", "c"])
    assert_are(some, [arrays[3], arrays[0]])
    with pytest.raises(DataError, match="1 of 2 samples have no masks, such as x"):
        masks_of(tmp_path / "masks.parquet", ["a", "x"])


def test_rows_are_taken_by_position_and_by_mask() -> None:
    arrays = pixels()
    masks = masks_from(arrays)
    assert_are(masks[np.array([3, 3, 0])], [arrays[3], arrays[3], arrays[0]])
    assert_are(masks[np.array([False, True, True, False])], arrays[1:3])
    assert_are(masks[slice(2, None)], arrays[2:])
    assert_are(joined_masks([masks[slice(3, None)], masks]), [arrays[3], *arrays])


def test_what_is_there_and_how_much() -> None:
    arrays = pixels()
    masks = masks_from(arrays)
    assert masks.sizes.tolist() == [list(size) for size in SIZES]
    areas = np.array([array[:2].sum(axis=(1, 2)) for array in arrays])
    assert masks.areas.tolist() == areas.tolist()
    assert masks.present.tolist() == (areas > 0).astype(int).tolist()


def test_empty_masks_have_sizes_and_nothing_else() -> None:
    masks = empty_masks(np.array(SIZES), 3)
    assert masks.sizes.tolist() == [list(size) for size in SIZES]
    assert masks.present.shape == (4, 3)
    assert not masks.areas.any()


def test_other_masks_have_other_bytes() -> None:
    masks = masks_from(pixels())
    others = [masks_from(pixels(1)), masks_from(pixels(), with_ignored=False), masks[::-1]]
    assert masks.tobytes() not in [other.tobytes() for other in others]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "masks.parquet"
    with pytest.raises(DataError, match="no such file"):
        read_masks(path)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="damaged"):
        read_masks(path)
