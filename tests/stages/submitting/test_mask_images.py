"""Masks as a zip of PNG files: pixel values, bytes that stay, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foldwise.errors import RunError
from foldwise.masks.runs import decode
from foldwise.publish import publish_bytes
from foldwise.stages.submit import check_submission
from foldwise.stages.submitting.masks import submission_ending, write_masks_submission
from foldwise.tasks.problem import Problem

from .mask_problems import SIZES, answers, index, make_problem


def problem_of(folder: Path, **changes) -> Problem:
    return make_problem(folder / "home", masks=index(), form="images", **changes)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def right_files() -> dict[str, bytes]:
    return {f"{name}.png": png(np.full(size, 3, np.uint8)) for name, size in SIZES.items()}


def test_images_have_the_pixel_values_of_train(tmp_path):
    problem, path = problem_of(tmp_path), tmp_path / "answer.zip"
    assert submission_ending(problem.competition) == ".zip"
    masks = answers(exclusive=True)
    assert write_masks_submission(path, problem, masks, name="a") == ()
    assert check_submission(problem.home, path) == []
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["a_1.png", "b.png", "c.png"]
        cracks = list(decode(masks.runs))[::2]
        for name, crack in zip(SIZES, cracks, strict=True):
            with Image.open(io.BytesIO(archive.read(f"{name}.png"))) as image:
                assert image.mode == "L"
                np.testing.assert_array_equal(np.asarray(image), np.where(crack, 7, 3))


def test_the_same_masks_give_the_same_bytes(tmp_path):
    problem = problem_of(tmp_path)
    for name in ("one.zip", "two.zip"):
        write_masks_submission(tmp_path / name, problem, answers(exclusive=True), name="a")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_masks_that_overlap_are_refused_by_their_sample(tmp_path):
    problem, masks = problem_of(tmp_path), answers(exclusive=True)
    every = np.arange(6)
    every[1] = 0  # The hole of the first sample is its crack, too.
    with pytest.raises(RunError, match="a_1: classes overlap in 2 pixels"):
        write_masks_submission(
            tmp_path / "answer.zip", problem, type(masks)(masks.runs.take(every), 2), name="a"
        )
    assert not (tmp_path / "answer.zip").exists()


WRONG = {
    "missing": ({"b.png": None}, "1 of 3 images are missing: b.png"),
    "unknown": ({"x.png": b""}, "x.png is not asked for"),
    "size": ({"b.png": png(np.zeros((5, 2), np.uint8))}, "b.png: found 2 x 5 pixels, its image"),
    "mode": ({"b.png": png(np.zeros((2, 5, 3), np.uint8))}, "b.png: found an image of mode RGB"),
    "value": ({"b.png": png(np.full((2, 5), 9, np.uint8))}, "b.png: pixels of value 9 are of no"),
    "damaged": ({"b.png": b"\x89PNG"}, "b.png: not a readable PNG file"),
    "large": ({"b.png": b"\0" * 100_000}, "b.png: found 100000 bytes"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_zip_is_told_by_file(tmp_path, mistake):
    problem = problem_of(tmp_path)
    changes, wanted = WRONG[mistake]
    files = {name: c for name, c in (right_files() | changes).items() if c is not None}
    assert check_submission(problem.home, zipped(tmp_path / "good.zip", right_files())) == []
    (told,) = check_submission(problem.home, zipped(tmp_path / "wrong.zip", files))
    assert wanted in told


def test_what_is_no_zip_is_said(tmp_path):
    problem = problem_of(tmp_path)
    (tmp_path / "a.zip").write_text("text")
    assert "not a readable zip file" in check_submission(problem.home, tmp_path / "a.zip")[0]
    (tmp_path / "a.csv").write_text("text")
    assert "wanted a .zip of PNG files" in check_submission(problem.home, tmp_path / "a.csv")[0]


def test_the_place_of_the_submission_is_that_of_its_form(tmp_path):
    home = problem_of(tmp_path).home
    assert home.submission.name == "submission.csv"
    publish_bytes(home.path / "submission.zip", b"")
    assert home.submission.name == "submission.zip"
