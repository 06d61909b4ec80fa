"""Samples from tables of masks: several rows a sample, ids of classes, images without a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.collecting import collect, end_in_classes
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.errors import ConfigError, DataError


def competition(folder: Path, train: str, test: str, **changes) -> Competition:
    for name in ("a", "b", "c", "t"):
        path = folder / ("test" if name == "t" else "train") / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (folder / "train.csv").write_text(train)
    (folder / "test.csv").write_text(test)
    values = {
        "name": "small",
        "data": ".",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "images": {"kind": "folder", "train": "train", "test": "test", "extension": ".png"},
        "columns": {"id": "id"},
        "masks": {"kind": "runs", "column": "rle", "class_column": "kind", "without_rows": True},
        "task": "segmentation",
        "classes": ["1", "2"],
        "metric": "mean_dice",
    }
    return from_values(values | changes, Competition, source="test")


ROWS = "id,kind,rle\na,1,1 1\na,2,\nb,1,\n"


def test_images_that_no_row_names_are_samples(tmp_path):
    samples = collect(competition(tmp_path, ROWS, "id\nt\n"), tmp_path)
    frame = samples.part("train").frame
    assert frame["id"].tolist() == ["a", "b", "c"]
    assert frame["line"].tolist() == [2, 4, 0]
    assert frame["cell:rle"].tolist() == ["1 1", "", ""]
    assert samples.part("test").ids.tolist() == ["t"]


def test_images_of_test_that_lie_beside_those_of_train_are_none_of_train(tmp_path):
    asked = competition(tmp_path, ROWS, "id\nc\n")
    beside = asked.images.model_copy(update={"test": "train"})
    samples = collect(asked.model_copy(update={"images": beside}), tmp_path)
    assert samples.part("train").ids.tolist() == ["a", "b"]
    assert samples.part("test").ids.tolist() == ["c"]


def test_images_that_are_not_named_like_ids_cannot_be_samples_without_a_row(tmp_path):
    rows = "id,kind,rle,path\na,1,1 1,train/a.png\n"
    images = {"kind": "path", "column": "path"}
    asked = competition(tmp_path, rows, "id,path\nt,test/t.png\n", images=images)
    with pytest.raises(ConfigError, match="without_rows: goes with images of kind folder"):
        collect(asked, tmp_path)


@pytest.mark.parametrize("test", ["id,rle\nt_1,\nt_2,\n", "id\nt\n"])
def test_ids_of_train_end_in_the_class_and_those_of_test_may(tmp_path, test):
    masks = {"kind": "runs", "column": "rle", "in_id": True}
    rows = "id,rle\na_1,1 1\na_2,\nb_1,\nb_2,3 1\nc_1,\nc_2,\n"
    samples = collect(competition(tmp_path, rows, test, masks=masks), tmp_path)
    assert samples.ids.tolist() == ["a", "b", "c", "t"]
    files = ["train/a.png", "train/b.png", "train/c.png", "test/t.png"]
    assert samples.frame["file"].tolist() == files


def test_rows_that_repeat_an_id_are_refused_where_a_sample_has_one(tmp_path):
    masks = {"kind": "runs", "column": "rle"}
    asked = competition(tmp_path, ROWS, "id\nt\n", masks=masks, classes=["1"])
    with pytest.raises(DataError, match=r"train.csv:3: column 'id': id 'a' is there already"):
        collect(asked, tmp_path)
    several = competition(
        tmp_path, ROWS, "id\nt\n", masks={**masks, "several_rows": True}, classes=["1"]
    )
    assert collect(several, tmp_path).part("train").ids.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("names", "do"),
    [
        (["a_1", "a_2", "b_2", "b_1"], True),
        (["a_1", "a_2", "b_1"], False),
        (["a_1", "a_3"], False),
        (["1", "2"], False),
        ([], False),
    ],
)
def test_ids_end_in_classes_where_every_sample_comes_with_every_class(names, do):
    assert end_in_classes(names, ["1", "2"]) == do
