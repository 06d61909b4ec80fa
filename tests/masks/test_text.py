from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from foldwise.errors import DataError
from foldwise.masks.order import find_order
from foldwise.masks.runs import decode, encode
from foldwise.masks.text import read_cells, write_cells

from .cases import blobs, generate, usual_decode, usual_encode

pytestmark = pytest.mark.usefixtures("way")

TILES = Path(__file__).parents[3] / "shared" / "data" / "tile-defects" / "train.csv"


def sizes(num: int, height: int = 3, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return np.full(num, height), np.full(num, width)


def test_cells_are_read_as_the_usual_snippet_reads_them() -> None:
    masks = generate(2000, seed=1)
    cells = [usual_encode(mask) for mask in masks]
    runs = read_cells(cells, *np.array([mask.shape for mask in masks]).T)
    for cell, mask, back in zip(cells, masks, decode(runs), strict=True):
        np.testing.assert_array_equal(back, mask)
        np.testing.assert_array_equal(back, usual_decode(cell, *mask.shape))
    assert write_cells(runs) == cells


@pytest.mark.parametrize("order", ["columns", "rows"])
@pytest.mark.parametrize("first", [0, 1])
def test_cells_come_back_in_either_order_and_from_either_first_pixel(
    order: str, first: int
) -> None:
    masks = generate(400, seed=2)
    runs = encode(masks)
    options = {"order": order, "first": first, "empty": "-1"}
    cells = write_cells(runs, **options)
    pixels = masks[13].ravel(order="F" if order == "columns" else "C")
    assert int(cells[13].split()[0]) == np.flatnonzero(pixels)[0] + first
    assert cells[0] == "-1"
    back = read_cells(cells, runs.heights, runs.widths, **options)
    for mask, found in zip(masks, decode(back), strict=True):
        np.testing.assert_array_equal(found, mask)


def test_pixels_are_counted_from_one_down_the_columns() -> None:
    down = decode(read_cells(["1 2 12 1"], *sizes(1)))[0]
    assert down.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    along = decode(read_cells(["1 2 12 1"], *sizes(1), order="rows"))[0]
    assert along.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("cell", ["1 3 4 2", "1 5", " 1  5\t", "1 1 2 2\n4 2", "01 005"])
def test_runs_that_touch_and_odd_blanks_are_read(cell: str) -> None:
    runs = read_cells(["2 2", cell, "", " ", "7 1"], *sizes(5))
    assert runs.counts.tolist() == [1, 1, 0, 0, 1]
    assert runs.starts.tolist() == [1, 0, 6]
    assert runs.lengths.tolist() == [2, 5, 1]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("1 2 5", "found 3 numbers, wanted pairs"),
        ("7", "found 1 numbers, wanted pairs"),
        ("1 two", "number 2 is 'two', wanted a whole number"),
        ("1.0 2", "number 1 is '1.0'"),
        ("0x1 2", "number 1 is '0x1'"),
        ("+1 2", "number 1 is '\\+1'"),
        ("\u0661 2", "number 1 is"),
        ("1,2", "number 1 is '1,2'"),
        ("1 99999999999999999999", "number 2 is '9+'"),
        ("-3 2", "run 1, -3 2, starts before pixel 1"),
        ("0 2", "run 1, 0 2, starts before pixel 1"),
        ("1 0", "run 1, 1 0, has no pixels"),
        ("4 2 8 -1", "run 2, 8 -1, has no pixels"),
        ("12 2", "run 1, 12 2, ends at pixel 13, beyond the last .an image of 12 pixels"),
        ("13 1", "run 1, 13 1, ends at pixel 13, beyond the last"),
        ("5 2 1 2", "run 2, 1 2, starts before the one before it, at 5"),
        ("1 3 3 2", "run 2, 3 2, overlaps the one before it, which ends at 3"),
        ("1 3 1 3", "run 2, 1 3, overlaps"),
    ],
)
@pytest.mark.parametrize("order", ["columns", "rows"])
def test_cells_that_are_wrong_are_named(cell: str, found: str, order: str) -> None:
    with pytest.raises(DataError, match=f"^line 3: {found}") as error:
        read_cells(["1 2", cell, "3 4"], *sizes(3), order=order, name=lambda row: f"line {row + 2}")
    assert len(error.value.problems) == 1


def test_all_wrong_cells_are_told_up_to_ten() -> None:
    cells = ["1 2", *["3"] * 12, "", "12 1"]
    with pytest.raises(DataError) as error:
        read_cells(cells, *sizes(len(cells)))
    assert len(error.value.problems) == 11
    assert error.value.problems[-1] == "... and 2 more"


def test_a_start_of_zero_says_what_would_do() -> None:
    with pytest.raises(DataError, match="counts pixels from 0, say so"):
        read_cells(["0 2", "1 1"], *sizes(2))
    assert read_cells(["0 2"], *sizes(1), first=0).starts.tolist() == [0]
    with pytest.raises(DataError) as error:
        read_cells(["3 0"], *sizes(1))
    assert error.value.remedy == ""


def test_minus_one_is_empty_only_where_it_is_said_to_be() -> None:
    assert read_cells(["-1", "-1 "], *sizes(2), empty="-1").areas.tolist() == [0, 0]
    with pytest.raises(DataError, match="found 1 numbers"):
        read_cells(["-1"], *sizes(1))


def test_as_many_sizes_as_cells_are_wanted() -> None:
    with pytest.raises(ValueError, match="2 cells, 3 heights and 3 widths"):
        read_cells(["", ""], *sizes(3))
    assert len(read_cells([], *sizes(0))) == 0
    assert write_cells(encode([])) == []


@pytest.mark.parametrize("order", ["columns", "rows"])
def test_the_order_is_found_from_shapes(order: str) -> None:
    rng = np.random.default_rng(3)
    shapes = [(20, 31), (31, 20), (64, 16), (20, 20)]
    runs = encode([blobs(rng, *shapes[number % 4]) for number in range(300)])
    found = find_order(write_cells(runs, order=order), runs.heights, runs.widths)
    assert found.order == order, found.reason
    assert "200 masks" in found.reason


def test_where_cells_do_not_tell_the_order_that_is_said() -> None:
    square = encode([mask[:9, :9] for mask in generate(200, seed=4) if min(mask.shape) > 8])
    found = find_order(write_cells(square), square.heights, square.widths)
    assert found.order is None
    assert "square" in found.reason
    single = find_order(["", "3 4"], *sizes(2))
    assert single.order is None
    assert "no mask has two runs" in single.reason
    assert find_order([], *sizes(0)).order is None
    rng = np.random.default_rng(5)
    dust = encode([rng.random((20, 30)) < 0.1 for _ in range(30)])
    found = find_order(write_cells(dust), dust.heights, dust.widths)
    assert found.order is None
    assert "in one order that it has" in found.reason


def test_wrong_cells_are_named_by_their_own_row_where_the_order_is_asked() -> None:
    with pytest.raises(DataError, match="row 1: run 2"):
        find_order(["", "1 2 50 1"], *sizes(2))


@pytest.mark.real
@pytest.mark.skipif(not TILES.exists(), reason="the pack is absent")
def test_the_tiles_masks_come_back_as_the_same_text() -> None:
    with TILES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [row["rle"] for row in rows]
    heights, widths = (np.array([int(row[side]) for row in rows]) for side in ("height", "width"))
    runs = read_cells(cells, heights, widths)
    masks = decode(runs)
    assert write_cells(encode(masks)) == cells
    for cell, mask in zip(cells, masks, strict=True):
        np.testing.assert_array_equal(mask, usual_decode(cell, *mask.shape))
    assert find_order(cells, heights, widths).order == "columns"
    along = write_cells(runs, order="rows")
    assert find_order(along, heights, widths).order == "rows"
