"""Test rows of a pack of masks before any image is decoded, and the file that is there by then."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foldwise import samples as samples_file
from foldwise.home import Home
from foldwise.stages.answering.handing_in import HandIn
from foldwise.stages.answering.pacing import Pacing
from foldwise.stages.answering.test_rows import list_test_rows
from foldwise.stages.submit import check_submission
from foldwise.tables import read_table
from foldwise.tasks.problem import open_problem
from tests.stages.mounted_notebooks import QUIET
from tests.stages.small_masks import masks_ready


def packed(folder: Path, **changes: Any) -> tuple[Home, Path]:
    """A competition as it lies in a pack, with train rows alone, and its data."""
    home = masks_ready(folder, num_train=8, num_test=4, **changes)
    samples_file.write(home.samples, samples_file.read(home.samples).part("train"))
    return home, folder / "raw"


def handed_in(home: Home, output: Path, name: str) -> HandIn:
    output.mkdir()
    found = HandIn(output, 1, frozenset(), Pacing(60.0), QUIET, name)
    found.constant(open_problem(home))
    return found


def test_a_table_is_there_whatever_the_images_are(tmp_path: Path) -> None:
    home, raw = packed(tmp_path)
    (raw / "s008.png").unlink()
    (raw / "s009.png").write_bytes(b"")
    (raw / "s010.png").write_bytes((raw / "s010.png").read_bytes()[:60])
    rows = list_test_rows(home)
    assert rows.ids.tolist() == ["s008", "s009", "s010", "s011"]
    handed_in(home, tmp_path / "out", "submission.csv")
    assert check_submission(home, tmp_path / "out" / "submission.csv") == []
    frame = read_table(tmp_path / "out" / "submission.csv").frame
    assert len(frame) == 8
    assert set(frame["rle"]) == {""}


def test_images_are_as_large_as_the_headers_say(tmp_path: Path) -> None:
    home, raw = packed(tmp_path, exclusive=True, submission={"form": "images"}, metric="mean_iou")
    (raw / "s009.png").write_bytes(b"not an image")
    list_test_rows(home)
    handed_in(home, tmp_path / "out", "submission.zip")
    path = tmp_path / "out" / "submission.zip"
    assert check_submission(home, path) == []
    with zipfile.ZipFile(path) as archive:
        for name in ("s008", "s010", "s011"):
            with Image.open(io.BytesIO(archive.read(f"{name}.png"))) as image:
                assert np.asarray(image).max() == 0  # `rest` is the commonest class.
                with Image.open(raw / f"{name}.png") as own:
                    assert image.size == own.size
        assert "s009.png" in archive.namelist()


@pytest.mark.parametrize("lacking", ["test table", "sample submission"])
def test_samples_that_one_table_lacks(tmp_path: Path, lacking: str) -> None:
    names = [f"s{row:03d}_{label}" for row in range(8, 12) for label in ("dot", "bar")]
    home, raw = packed(tmp_path)
    text = home.competition.read_text()
    more = text.replace("test: test.csv", "test: test.csv\n  sample_submission: sample.csv")
    assert more != text
    home.competition.write_text(more)
    kept = names[2:] if lacking == "sample submission" else names
    pd.DataFrame({"id": kept, "rle": ""}).to_csv(raw / "sample.csv", index=False)
    if lacking == "test table":
        table = pd.read_csv(raw / "test.csv", dtype=str)
        table[1:].to_csv(raw / "test.csv", index=False)
    rows = list_test_rows(home)
    assert len(rows) == 4
    absent = rows.frame.loc[rows.frame["damaged"] != "", "id"].tolist()
    assert absent == (["s008"] if lacking == "test table" else [])
    found = handed_in(home, tmp_path / "out", "submission.csv")
    path = tmp_path / "out" / "submission.csv"
    assert check_submission(home, path) == []
    assert read_table(path).frame["id"].tolist() == kept
    assert any("damaged" in note for note in found.notes) == (lacking == "test table")
