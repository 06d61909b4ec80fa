from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as oracle

from foldwise.errors import DataError
from foldwise.masks.coco import read_compressed, read_counts, write_compressed, write_counts
from foldwise.masks.runs import decode, encode
from foldwise.masks.segmentations import read_segmentations

from .cases import KINDS, generate

# pycocotools is older than numpy 2.
pytestmark = [
    pytest.mark.usefixtures("way"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
]

MASKS = [
    *generate(1500, seed=7),
    *(kind(np.random.default_rng(8), 300, 700) for kind in KINDS.values()),
]
RUNS = encode(MASKS)
SIZES = (RUNS.heights, RUNS.widths)


def test_compressed_strings_are_those_of_pycocotools() -> None:
    texts = write_compressed(RUNS)
    assert texts == [oracle.encode(np.asfortranarray(m))["counts"].decode() for m in MASKS]
    for given in (texts, [text.encode() for text in texts]):
        for mask, back in zip(MASKS, decode(read_compressed(given, *SIZES)), strict=True):
            np.testing.assert_array_equal(back, mask)


def test_lists_of_counts_are_those_of_pycocotools() -> None:
    counts = write_counts(RUNS)
    for mask, each, back in zip(MASKS, counts, decode(read_counts(counts, *SIZES)), strict=True):
        height, width = mask.shape
        theirs = oracle.frPyObjects({"size": [height, width], "counts": each}, height, width)
        np.testing.assert_array_equal(oracle.decode(theirs), mask)
        np.testing.assert_array_equal(back, mask)
        assert sum(each) == mask.size


def test_counts_of_nothing_in_between_are_read() -> None:
    runs = read_counts([[0, 2, 0, 1, 3], [6, 0]], np.array([2, 2]), np.array([3, 3]))
    assert runs.counts.tolist() == [1, 0]
    assert (runs.starts.tolist(), runs.lengths.tolist()) == ([0], [3])


def test_no_masks_are_read_and_written() -> None:
    none, nothing = encode([]), np.empty(0, int)
    assert write_compressed(none) == write_counts(none) == []
    for read in (read_compressed, read_counts, read_segmentations):
        assert len(read([], nothing, nothing)) == 0


def name(row: int) -> str:
    return f"image {row + 7}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("13 2", "'13 2' is no compressed counts"),
        ("13\u00e4", "is no compressed counts"),
        ("13R", "is no compressed counts"),
        ("PPPPPPPPPPPPPPPPPP1", "is no compressed counts"),
        ("13", "counts of 4 pixels, the image has 6"),
        ("", "counts of 0 pixels, the image has 6"),
        ("1O6", "a count below 0"),
    ],
)
def test_strings_that_are_wrong_are_named(text: str, found: str) -> None:
    with pytest.raises(DataError, match=f"^image 8: .*{found}") as error:
        read_compressed(["132", text], np.array([2, 2]), np.array([3, 3]), name=name)
    assert len(error.value.problems) == 1


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([1, 3], "counts of 4 pixels, the image has 6"),
        ([1, -3, 8], "a count below 0"),
        ([], "counts of 0 pixels"),
    ],
)
def test_counts_that_are_wrong_are_named(counts: list[int], found: str) -> None:
    with pytest.raises(DataError, match=f"^image 8: {found}"):
        read_counts([[1, 3, 2], counts], np.array([2, 2]), np.array([3, 3]), name=name)


def test_segmentations_of_all_forms_are_read_in_their_order() -> None:
    square = [1, 1, 3, 1, 3, 3, 1, 3]
    given = [
        {"size": [4, 5], "counts": [20]},
        [square],
        {"size": [4, 5], "counts": write_compressed(encode([np.eye(4, 5)]))[0]},
        [],
        {"size": [4, 5], "counts": [1, 2, 17]},
    ]
    runs = read_segmentations(given, np.full(5, 4), np.full(5, 5))
    assert runs.areas.tolist() == [0, 4, 4, 0, 2]
    assert (
        decode(runs)[1].tolist()
        == oracle.decode(oracle.frPyObjects([square], 4, 5))[..., 0].tolist()
    )


def test_segmentations_that_are_wrong_are_named() -> None:
    given = [
        {"size": [4, 5], "counts": [20]},
        {"size": [5, 4], "counts": [20]},
        "mask.png",
        {"counts": [20]},
        {"size": [4, 5]},
    ]
    with pytest.raises(DataError) as error:
        read_segmentations(given, np.full(5, 4), np.full(5, 5), name=name)
    assert error.value.problems == (
        "image 8: its size is [5, 4], that of the image is [4, 5]",
        "image 9: found mask.png, wanted polygons, or size and counts",
        "image 10: its size is None, that of the image is [4, 5]",
        "image 11: found {'size': [4, 5]}, wanted polygons, or size and counts",
    )
    with pytest.raises(DataError, match="image 8: polygon 1"):
        read_segmentations([given[0], [[1, 2]]], np.full(2, 4), np.full(2, 5), name=name)
