"""Samples are found from tables and folders, and each missing piece is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import samples as samples_file
from foldwise.collecting import collect
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.errors import ConfigError, DataError


def asked(**changes: Any) -> Competition:
    values: dict[str, Any] = {
        "name": "small",
        "data": "data",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "columns": {"id": "id", "target": ["label"]},
        "task": "multiclass",
        "classes": ["a", "b"],
        "metric": "accuracy",
    }
    return from_values({**values, **changes}, Competition, source="test")


def raw(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_column_holds_the_path_and_rows_are_sorted_train_first(tmp_path: Path) -> None:
    data = raw(
        tmp_path,
        {
            "train.csv": "id,path,label\n2,x.png,a\n10,y.png,b\n",
            "test.csv": "id,path\n1,z.png\n",
            "images/x.png": "",
            "images/y.png": "",
            "z.png": "",
        },
    )
    found = collect(asked(images={"kind": "path", "column": "path", "train": "images"}), data)
    assert found.ids.tolist() == ["10", "2", "1"]
    assert found.frame["file"].tolist() == ["images/y.png", "images/x.png", "z.png"]
    assert found.part("train").cells("label") == ["b", "a"]
    assert found.part("test").cells("label") == [""]
    assert len(found.take(np.array([True, False, True]))) == 2


def test_an_ids_ending_is_added_once(tmp_path: Path) -> None:
    data = raw(
        tmp_path,
        {
            "train.csv": "id,label\n7,a\n8.PNG,b\n",
            "train/7.png": "",
            "train/8.PNG": "",
        },
    )
    competition = asked(
        tables={"train": "train.csv"},
        images={"kind": "folder", "train": "train", "extension": ".png"},
    )
    assert collect(competition, data).frame["file"].tolist() == ["train/7.png", "train/8.PNG"]


def test_class_folders_give_the_label_and_a_plain_folder_the_test_rows(tmp_path: Path) -> None:
    files = ["train/a/1.png", "train/b/deep/2.JPG", "train/b/notes.txt", "test/9.png"]
    data = raw(tmp_path, dict.fromkeys(files, ""))
    competition = asked(tables={"train": "train", "test": "test"}, images={"kind": "class_folder"})
    found = collect(competition, data)
    assert found.ids.tolist() == ["a/1.png", "b/deep/2.JPG", "9.png"]
    assert found.part("train").cells("label") == ["a", "b"]
    assert found.frame["file"].tolist() == ["train/a/1.png", "train/b/deep/2.JPG", "test/9.png"]


def test_rows_of_an_array_are_counted_or_named_by_a_column(tmp_path: Path) -> None:
    data = raw(tmp_path, {"train.csv": "id,label,at\nu,a,3\nv,b,0\n", "x.npz": ""})
    plain = asked(tables={"train": "train.csv"}, images={"kind": "array", "train": "x.npz:train"})
    assert collect(plain, data).frame[["file", "array", "row"]].values.tolist() == [
        ["x.npz", "train", 0],
        ["x.npz", "train", 1],
    ]
    named = asked(
        tables={"train": "train.csv"},
        images={"kind": "array", "train": "x.npz:train", "column": "at"},
    )
    assert collect(named, data).frame["row"].tolist() == [3, 0]
    raw(tmp_path, {"train.csv": "id,label,at\nu,a,3\nv,b,-1\n"})
    with pytest.raises(DataError, match=r"train\.csv:3: at: a row number is wanted, found '-1'"):
        collect(named, data)


def test_missing_columns_and_files_are_named_all_at_once(tmp_path: Path) -> None:
    data = raw(tmp_path, {"train.csv": "id,path\n1,x.png\n2,y.png\n"})
    competition = asked(
        tables={"train": "train.csv"},
        columns={"id": "id", "target": ["label"], "group": ["patient"]},
        images={"column": "path"},
    )
    with pytest.raises(DataError) as caught:
        collect(competition, data)
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "there is no column 'label'",
        "there is no column 'patient'",
    ]
    raw(tmp_path, {"train.csv": "id,path,label,patient\n1,x.png,a,p\n2,y.png,b,p\n"})
    with pytest.raises(DataError) as caught:
        collect(competition, data)
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("1: its image x.png does not exist in")


def test_an_id_in_train_and_in_test_is_refused(tmp_path: Path) -> None:
    data = raw(
        tmp_path,
        {"train.csv": "id,path,label\n1,x.png,a\n", "test.csv": "id,path\n1,x.png\n", "x.png": ""},
    )
    with pytest.raises(DataError, match="1 ids are in train and in test: 1") as caught:
        collect(asked(images={"column": "path"}), data)
    assert "columns.train_prefix" in caught.value.remedy
    columns = {"id": "id", "target": ["label"], "train_prefix": "train/"}
    found = collect(asked(images={"column": "path"}, columns=columns), data)
    assert found.ids.tolist() == ["train/1", "1"]


@pytest.mark.parametrize(
    ("images", "words"),
    [({}, "images: missing"), ({"images": {"kind": "path"}}, "kind path needs the column")],
)
def test_images_must_say_where_they_are(images: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        asked(**images)


def test_a_test_table_beside_class_folders_needs_its_column(tmp_path: Path) -> None:
    data = raw(tmp_path, {"train/a/1.png": "", "test.csv": "id\n9\n", "9.png": ""})
    tables = {"train": "train", "test": "test.csv"}
    with pytest.raises(ConfigError, match=r"images.column: test.csv is a table"):
        collect(asked(tables=tables, images={"kind": "class_folder"}), data)


def test_rows_know_their_table_and_line(tmp_path: Path) -> None:
    data = raw(tmp_path, {"train.csv": "id,label\n8,b\n7,a\n", "7.jpg": "", "8.png": ""})
    images = {"kind": "folder", "extension": ".*"}
    found = collect(asked(tables={"train": "train.csv"}, images=images), data)
    assert [found.table.at(row) for row in range(2)] == ["train.csv:3", "train.csv:2"]
    assert found.table.frame["label"].tolist() == ["a", "b"]
    assert found.frame["file"].tolist() == ["7.jpg", "8.png"]


def test_samples_are_read_as_they_were_written(tmp_path: Path) -> None:
    data = raw(tmp_path, {"train.csv": "id,path,label\n1,x.png,a\n007,x.png,b\n", "x.png": ""})
    found = collect(asked(tables={"train": "train.csv"}, images={"column": "path"}), data)
    path = tmp_path / "samples.parquet"
    samples_file.write(path, found)
    read = samples_file.read(path)
    assert read.ids.tolist() == ["007", "1"]
    assert (read.frame == found.frame).all(axis=None)
    assert (read.counters == found.counters).all()
    assert len(set(read.counters)) == 2


def test_samples_that_are_absent_or_damaged_say_what_would_do(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    with pytest.raises(DataError, match="no such file") as caught:
        samples_file.read(path)
    assert "foldwise prepare" in caught.value.remedy
    path.write_bytes(b"PAR1 no table")
    with pytest.raises(DataError, match="damaged") as caught:
        samples_file.read(path)
    assert "delete it" in caught.value.remedy


_PAIRS = {
    "train.csv": "id,left,right,label\n7,a.png,b.png,a\n8,c.png,d.png,b\n",
    "test.csv": "id,left,right\n1,e.png,f.png\n",
    **{f"img/{name}.png": "" for name in "abcdef"},
}


def test_several_columns_hold_the_images_of_a_sample(tmp_path: Path) -> None:
    images = {"kind": "path", "columns": ["left", "right"], "train": "img", "test": "img"}
    found = collect(asked(images=images), raw(tmp_path, _PAIRS))
    assert found.num_images == 2
    files = ["img/a.png", "img/c.png", "img/e.png", "img/b.png", "img/d.png", "img/f.png"]
    every = found.every_image()
    assert every.frame["file"].tolist() == files
    assert every.ids.tolist() == ["7", "8", "1"] * 2
    assert every.frame["split"].tolist() == ["train", "train", "test"] * 2
    assert found.every_image().num_images == 1
    facts = every.frame.assign(sha256=list("ABCDEF"), damaged=["", "", "", "", "no", ""])
    known = found.with_images(samples_file.Samples(facts))
    assert known.image_hashes.tolist() == [["A", "D"], ["B", "E"], ["C", "F"]]
    assert known.hashes.tolist() == ["A", "B", "C"]
    assert known.whole().ids.tolist() == ["7", "1"]
    samples_file.write(tmp_path / "samples.parquet", known)
    again = samples_file.read(tmp_path / "samples.parquet")
    assert again.frame.to_dict("list") == known.frame.to_dict("list")
    assert known.part("train").take(np.array([1])).image_hashes.tolist() == [["B", "E"]]


def test_several_endings_name_the_images_of_a_sample(tmp_path: Path) -> None:
    names = [f"img/{name}{end}" for name in "78" for end in ("_red.png", "_mask.tif")]
    data = raw(tmp_path, {"train.csv": "id,label\n7,a\n8,b\n", **dict.fromkeys(names, "")})
    images = {"kind": "folder", "train": "img", "extensions": ["_red.png", "_mask.*"]}
    found = collect(asked(tables={"train": "train.csv"}, images=images), data)
    assert found.every_image().frame["file"].tolist() == [*names[0::2], *names[1::2]]


def test_a_missing_image_of_several_is_named(tmp_path: Path) -> None:
    images = {"kind": "path", "columns": ["left", "right"], "train": "img", "test": "img"}
    data = raw(tmp_path, {**_PAIRS, "train.csv": "id,left,right,label\n7,a.png,x.png,a\n"})
    with pytest.raises(DataError, match=r"7: its image img/x\.png does not exist"):
        collect(asked(images=images), data)
    data = raw(tmp_path, {"train.csv": "id,left,label\n7,a.png,a\n"})
    with pytest.raises(DataError, match="there is no column 'right'"):
        collect(asked(images=images), data)
    test = asked(
        images=images,
        tables={"train": "test.csv", "test": "img"},
        columns={"id": "id", "target": ["left"]},
    )
    with pytest.raises(ConfigError, match=r"tables\.test: img is a folder, which does not say"):
        collect(test, raw(tmp_path, _PAIRS))


@pytest.mark.parametrize(
    ("images", "wrong"),
    [
        ({"columns": ["left"]}, "columns: names one image; write column: left"),
        ({"columns": ["left", "left"]}, "left stands there twice"),
        ({"columns": ["left", "right"], "column": "left"}, "column and columns: take one out"),
        ({"columns": ["a", "b"], "extensions": ["c", "d"]}, "one of the two says which"),
        ({"kind": "folder", "extension": ".png", "extensions": ["a", "b"]}, "take one out"),
        ({"kind": "class_folder", "columns": ["a", "b"]}, "goes with kind path or array"),
        ({"kind": "array", "extensions": ["a", "b"]}, "goes with kind path or folder"),
        ({"kind": "path", "extensions": ["a", "b"]}, "kind path needs the column"),
    ],
)
def test_images_that_contradict_each_other_are_refused(images: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked(images=images)
    assert wrong in str(caught.value)
