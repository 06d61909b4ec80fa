"""The audit stage: what it counts, what it warns of, and when it has nothing to do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from foldwise import samples as samples_file
from foldwise.data.cache_writing import write_blocks
from foldwise.data.hashes import MAX_EQUAL
from foldwise.data.spec import THUMB
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.audit import audit, thumbnails
from foldwise.stages.display import Display
from tests.stages.small_competition import QUIET, make_problem


def prepared(folder: Path, task: str = "multiclass", **facts: Any) -> Home:
    """24 train and 6 test rows of different noise, with these facts of the images."""
    home = make_problem(folder, task, num_train=24, num_test=6).home
    known = {"width": 32, "height": 32, "mode": "RGB", "format": "PNG", **facts}
    samples_file.write(home.samples, Samples(samples_file.read(home.samples).frame.assign(**known)))
    return home


def change(home: Home, **columns: dict[int, Any]) -> pd.DataFrame:
    """Set cells of the samples by column and row; rows from 24 on are test."""
    frame = samples_file.read(home.samples).frame
    for name, cells in columns.items():
        for row, cell in cells.items():
            frame.loc[row, name.replace("label", "cell:label")] = cell
    samples_file.write(home.samples, Samples(frame))
    return frame


def same(home: Home, *rows: int) -> None:
    """Make these rows the same image."""
    sha = samples_file.read(home.samples).frame.loc[rows[0], "sha256"]
    change(home, sha256=dict.fromkeys(rows, sha))


def test_images_of_their_own_give_counts_and_no_warning_of_duplicates(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    found = audit(home, display=QUIET)
    assert (found["num_train"], found["num_test"], found["num_sizes"]) == (24, 6, 1)
    assert sum(row["count"] for row in found["classes"]) == 24
    assert found["duplicates"]["pairs"] == []
    assert len(set(found["duplicates"]["groups"])) == 30
    assert not any("duplicate" in warning for warning in found["warnings"])
    assert found["formats"] == {"PNG": 30}


def test_twins_are_counted_as_test_images_not_as_pairs(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    same(home, *range(10), 24, 25, 26)  # Ten in train, three in test, one content.
    found = audit(home, display=QUIET)
    assert found["duplicates"]["num_twins"] == 3
    assert any("test images with a (near) duplicate in train: 3;" in w for w in found["warnings"])


def test_a_near_copy_in_train_makes_a_test_image_a_twin_once(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    frame = samples_file.read(home.samples).frame
    image = thumbnails(home, samples_file.read(home.samples))[0]
    again = np.clip(image.astype(int) + np.indices(image.shape).sum(0) % 3 - 1, 0, 255)
    hashes = [f"{k:064x}" for k in (900, 901)]
    write_blocks(
        home.cache, THUMB, [(sha, again.astype(np.uint8) ^ k) for k, sha in enumerate(hashes)]
    )
    phash = frame.loc[0, "phash"]
    change(
        home,
        sha256={3: hashes[0], 24: hashes[1], 25: hashes[1]},
        phash=dict.fromkeys((3, 24, 25), phash),
    )
    found = audit(home, display=QUIET)
    assert [(p["a"], p["b"]) for p in found["duplicates"]["twins"]] == [
        ("t0000", "x0000"),
        ("t0003", "x0000"),
    ]
    assert found["duplicates"]["num_twins"] == 2


def test_copies_with_different_labels_are_said(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    same(home, 0, 1, 2)
    change(home, label={0: "ape", 1: "bear", 2: "ape"})
    found = audit(home, display=QUIET)
    assert found["duplicates"]["inside_train"] == 2
    assert any("2 pairs of (near) duplicate images inside train" in w for w in found["warnings"])
    assert "different labels on 1 pair of (near) duplicates" in found["warnings"]


def test_a_size_that_gives_the_label_away_is_a_shortcut(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    labels = samples_file.read(home.samples).frame["cell:label"]
    change(home, width={row: ord(label[0]) for row, label in enumerate(labels[:24])})
    found = audit(home, display=QUIET)
    assert found["shortcut"]["level"] == "severe"
    assert any("image size alone predicts the label" in w for w in found["warnings"])
    assert [row["width"] for row in found["sizes"]["rows"]]


def test_tasks_without_classes_have_no_tables_of_them(tmp_path: Path) -> None:
    found = audit(prepared(tmp_path, "regression"), display=QUIET)
    assert (found["classes"], found["sizes"], found["shortcut"]) == ([], None, None)
    found = audit(prepared(tmp_path / "labels", "multilabel"), display=QUIET)
    assert [row["label"] for row in found["classes"]] == ["car", "sign", "tree"]


def test_rare_classes_are_named(tmp_path: Path) -> None:
    found = audit(prepared(tmp_path), display=QUIET)
    assert any("classes with fewer than 10 images" in w for w in found["warnings"])


def test_the_audit_is_made_again_only_when_samples_change(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    out = io.StringIO()
    show = Display(console=Console(file=out, width=400))
    audit(home, display=show)
    assert "fewer than 10" in out.getvalue()
    written = home.audit.stat().st_mtime_ns
    audit(home, display=show)
    assert home.audit.stat().st_mtime_ns == written
    same(home, 0, 1)
    assert audit(home, display=show)["duplicates"]["inside_train"] == 1


def test_damaged_images_are_left_out(tmp_path: Path) -> None:
    home = prepared(tmp_path)
    change(home, damaged={2: "truncated", 25: "empty"}, sha256={2: "", 25: ""})
    found = audit(home, display=QUIET)
    assert (found["num_train"], found["num_test"]) == (23, 5)


def test_a_crowd_of_one_hash_is_said_only_where_it_is_not_searched_whole(tmp_path: Path) -> None:
    home = prepared(tmp_path, phash=np.uint64(1))
    found = audit(home, display=QUIET)
    assert found["duplicates"]["most_equal"] == 30 < MAX_EQUAL
    assert not any("perceptual hash" in warning for warning in found["warnings"])
