"""Masks of samples from tables and images: each form, and what is refused by its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foldwise.collecting import split_suffix
from foldwise.config.masks import MasksConfig
from foldwise.data.mask_sources import MaskSource, rows_of_samples
from foldwise.data.mask_tables import read_mask_image, read_table_masks
from foldwise.errors import DataError
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import decode
from foldwise.tables import read_table

CLASSES = ("crack", "hole")
#: Height and width of samples a, b and c.
SIZES = np.array([[3, 4], [2, 2], [3, 4]])
IDS = np.array(["a", "b", "c"], dtype=object)


def source(
    folder: Path, cells: Mapping[str, Sequence[str]], *, by: str = "id", **config: Any
) -> MaskSource:
    rows = [",".join(cells), *(",".join(row) for row in zip(*cells.values(), strict=True))]
    (folder / "train.csv").write_text("\n".join(rows) + "\n")
    table = read_table(folder / "train.csv")
    names = list(table.frame[by])
    if config.get("in_id"):
        names = [split_suffix(name)[0] for name in names]
    rows_of = rows_of_samples(names, IDS)
    return MaskSource(MasksConfig(**config), CLASSES, table, by, rows_of, SIZES, folder)


def pixels(masks: Masks) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Sample and class → (y, x) of its pixels; the empty ones are left out."""
    keys = [(name, label) for name in IDS for label in CLASSES]
    found = {
        key: [(int(y), int(x)) for y, x in np.argwhere(mask)]
        for key, mask in zip(keys, decode(masks.runs), strict=True)
    }
    return {key: places for key, places in found.items() if places}


WANTED = {
    ("a", "crack"): [(0, 1), (1, 0), (2, 0)],
    ("a", "hole"): [(0, 0)],
    ("c", "hole"): [(2, 3)],
}


def test_a_row_for_each_sample_and_class(tmp_path: Path) -> None:
    found = source(
        tmp_path,
        {
            "id": ["a", "a", "c", "a", "x"],
            "kind": ["1", "2", "2", "1", "1"],
            "rle": ["2 2", "1 1", "12 1", "4 1", "1 1"],
        },
        kind="runs",
        column="rle",
        class_column="kind",
        values={"1": "crack", "2": "hole"},
    )
    assert pixels(read_table_masks(found)) == WANTED


def test_ids_that_end_in_the_class(tmp_path: Path) -> None:
    found = source(
        tmp_path,
        {"id": ["a_1", "a_2", "b_1", "b_2", "c_1", "c_2"], "rle": ["2 3", "1 1", *"   ", "12 1"]},
        kind="runs",
        column="rle",
        in_id=True,
        values={"1": "crack", "2": "hole"},
    )
    assert pixels(read_table_masks(found)) == WANTED


def test_a_column_for_each_class(tmp_path: Path) -> None:
    found = source(
        tmp_path,
        {"id": ["c", "a"], "holes": ["12 1", "1 1"], "cracks": ["-1", "2 3"]},
        kind="runs",
        columns={"crack": "cracks", "hole": "holes"},
        empty="-1",
    )
    assert pixels(read_table_masks(found)) == WANTED


def test_runs_along_the_rows(tmp_path: Path) -> None:
    found = source(
        tmp_path,
        {
            "id": ["a", "a", "c"],
            "kind": ["crack", "hole", "hole"],
            "rle": ["2 1 5 1 9 1", "1 1", "12 1"],
        },
        kind="runs",
        column="rle",
        class_column="kind",
        order="rows",
    )
    assert pixels(read_table_masks(found)) == WANTED


def test_cells_that_name_no_class_are_clean_or_wrong(tmp_path: Path) -> None:
    def rows(kind: str, rle: str) -> MaskSource:
        return source(
            tmp_path,
            {"id": ["a", "b"], "kind": ["crack", kind], "rle": ["1 1", rle]},
            kind="runs",
            column="rle",
            class_column="kind",
            clean=("none",),
        )

    assert pixels(read_table_masks(rows("none", ""))) == {("a", "crack"): [(0, 0)]}
    with pytest.raises(DataError, match=r"train.csv:3: 'none' names no class, and there is a mask"):
        read_table_masks(rows("none", "1 1"))
    with pytest.raises(DataError, match=r"train.csv:3: 'dent' is no class of masks") as caught:
        read_table_masks(rows("dent", "1 1"))
    assert "'crack', 'hole'" in caught.value.remedy


@pytest.mark.parametrize("cell", ["1", "0 1", "1 5", "3 1 1 1", "1 2 2 1", "x 1"])
def test_a_wrong_cell_is_named_by_its_row(tmp_path: Path, cell: str) -> None:
    found = source(
        tmp_path,
        {"id": ["a", "b"], "kind": ["crack", "hole"], "rle": ["", cell]},
        kind="runs",
        column="rle",
        class_column="kind",
    )
    with pytest.raises(DataError, match=r"train.csv:3"):
        read_table_masks(found)


def write_index(path: Path, values: Sequence[Sequence[int]]) -> None:
    image = Image.fromarray(np.array(values, np.uint8)).convert("P")
    image.putpalette([7] * 768)
    Image.fromarray(np.array(values, np.uint8)).save(path)


def index_source(folder: Path, values: Mapping[str, Sequence[Sequence[int]]]) -> MaskSource:
    for name, each in values.items():
        write_index(folder / f"{name}.png", each)
    return source(
        folder,
        {"id": ["b", "a", "c"], "mask": ["b.png", "a.png", "c.png"]},
        kind="index",
        column="mask",
        exclusive=True,
        ignored=(9,),
    )


GROUND = [[0, 0, 1, 1]] * 3


def test_index_images_give_exclusive_masks_and_what_is_ignored(tmp_path: Path) -> None:
    found = index_source(tmp_path, {"a": GROUND, "b": [[1, 9], [0, 0]], "c": GROUND})
    masks = read_table_masks(found)
    assert masks.areas.tolist() == [[6, 6], [2, 1], [6, 6]]
    assert masks.ignored is not None
    assert masks.ignored.areas.tolist() == [0, 1, 0]


def test_index_images_of_other_sizes_or_values_are_refused(tmp_path: Path) -> None:
    wrong = index_source(tmp_path, {"a": GROUND, "b": [[1, 0, 0]], "c": GROUND})
    with pytest.raises(DataError, match=r"train.csv:2: b.png has 3 x 1 pixels and its image 2 x 2"):
        read_table_masks(wrong)
    strange = index_source(tmp_path, {"a": GROUND, "b": [[1, 5], [0, 0]], "c": GROUND})
    with pytest.raises(DataError, match=r"train.csv:2: b.png"):
        read_table_masks(strange)
    (tmp_path / "c.png").unlink()
    with pytest.raises(DataError, match=r"train.csv:4: .*c.png: no such file"):
        read_table_masks(
            source(
                tmp_path,
                {"id": ["b", "a", "c"], "mask": ["b.png", "a.png", "c.png"]},
                kind="index",
                column="mask",
                exclusive=True,
            )
        )


def test_a_file_for_each_class(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 0, 0], [255] + [0] * 3, [255] + [0] * 3], np.uint8)).save(
        tmp_path / "crack.png"
    )
    Image.fromarray(np.eye(3, 4, dtype=bool) & (np.arange(3) < 1)[:, None]).save(
        tmp_path / "hole.png"
    )
    found = source(
        tmp_path,
        {"id": ["a", "b"], "cracks": ["crack.png", ""], "holes": ["hole.png", ""]},
        kind="files",
        columns={"crack": "cracks", "hole": "holes"},
    )
    assert pixels(read_table_masks(found)) == {key: WANTED[key] for key in list(WANTED)[:2]}


def test_a_palette_gives_its_numbers(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 3], [2, 1]], np.uint8), mode="P")
    image.putpalette([200, 100, 50] * 256)
    image.save(tmp_path / "mask.png")
    assert read_mask_image(tmp_path / "mask.png").tolist() == [[0, 3], [2, 1]]


def test_images_that_hold_no_mask_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "colour.png")
    Image.new("L", (2, 2)).save(tmp_path / "lossy.jpg")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, reason in (
        ("colour.png", "one channel of 8 bits, found RGB"),
        ("lossy.jpg", "JPEG changes the values"),
        ("broken.png", "damaged"),
        ("absent.png", "no such file"),
    ):
        with pytest.raises(DataError, match=reason):
            read_mask_image(tmp_path / name)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"kind": "runs"}, "needs column"),
        ({"kind": "coco"}, "needs the JSON file"),
        ({"kind": "index", "column": "mask"}, "exclusive"),
        ({"kind": "runs", "column": "rle", "ignored": (1,)}, "goes with kind index"),
        ({"kind": "runs", "column": "rle", "clean": ("0",)}, "goes with class_column"),
        ({"kind": "runs", "column": "rle", "class_column": "c", "in_id": True}, "one of them"),
    ],
)
def test_settings_that_say_nothing_or_two_things(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MasksConfig(**config)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def test_images_named_like_samples_and_classes(tmp_path: Path) -> None:
    for name, label, place in (("a", "crack", (1, 0)), ("c", "hole", (2, 3))):
        values = np.zeros(SIZES[list(IDS).index(name)])
        values[place] = 255
        save(tmp_path / "masks" / label / f"{name}.png", values)
    found = source(
        tmp_path, {"id": ["a", "b", "c"]}, kind="files", pattern="masks/{class}/{stem}.png"
    )
    assert pixels(read_table_masks(found)) == {("a", "crack"): [(1, 0)], ("c", "hole"): [(2, 3)]}


def test_an_image_of_all_classes_must_be_there_for_each_sample(tmp_path: Path) -> None:
    for name, size in zip(("a", "b"), SIZES, strict=False):
        save(tmp_path / f"{name}.png", np.ones(size))
    found = source(
        tmp_path,
        {"id": ["a", "b", "c"]},
        kind="index",
        pattern="{id}.png",
        exclusive=True,
    )
    with pytest.raises(DataError, match=r"train.csv:4: .*c.png: no such file"):
        read_table_masks(found)
    save(tmp_path / "c.png", np.zeros(SIZES[2]))
    assert read_table_masks(found).present.tolist() == [[0, 1], [0, 1], [1, 0]]


def test_pixels_may_be_counted_from_0(tmp_path: Path) -> None:
    cells = {"id": ["a", "b", "c"], "rle": ["0 1 11 1", "", "3 1"], "kind": ["crack"] * 3}
    found = source(tmp_path, cells, kind="runs", column="rle", class_column="kind", first=0)
    assert pixels(read_table_masks(found)) == {
        ("a", "crack"): [(0, 0), (2, 3)],
        ("c", "crack"): [(0, 1)],
    }


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"kind": "runs", "pattern": "{id}.png"}, "pattern: names images, found kind runs"),
        ({"kind": "files", "pattern": "masks/x.png"}, "wanted {id} or {stem} in it"),
        ({"kind": "files", "pattern": "{name}.png"}, "wanted {id} or {stem} in it"),
        ({"kind": "files", "pattern": "{id.png"}, "pattern: "),
        ({"kind": "files", "pattern": "{id}.png", "column": "a"}, "or pattern; one of them"),
        (
            {"kind": "index", "pattern": "{id}_{class}.png", "exclusive": True},
            "an index image holds all classes",
        ),
        ({"kind": "coco", "file": "a.json", "in_id": True}, "in_id: goes with masks of a table"),
        ({"kind": "runs", "column": "rle", "without_rows": True}, "several rows"),
    ],
)
def test_patterns_and_keys_that_do_not_go_together(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MasksConfig(**config)
