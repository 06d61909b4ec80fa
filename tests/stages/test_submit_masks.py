"""Runs of masks handed in: the table of runs, the zip of images, their entries and their copies."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from foldwise import predictions as predictions_file
from foldwise.errors import ConfigError
from foldwise.maps.maps import Maps
from foldwise.masks.text import read_cells
from foldwise.predictions import Predictions
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.submit import check_submission, submit
from foldwise.stages.submitting.answering import read_parts
from foldwise.stages.submitting.ledger import read_ledger
from foldwise.tables import read_table
from foldwise.tasks.problem import Problem
from tests.stages.proposing.raw_folder import QUIET

from .scoring.mask_competition import CLASSES, make_masks, write_maps_run


def with_tables(problem: Problem) -> Problem:
    """What an entry's provenance keeps a copy of."""
    data = problem.home.path / "data"
    data.mkdir()
    for name in ("train.csv", "test.csv"):
        (data / name).write_text("id,path,mask,pair\n")
    return problem


def write_run(problem: Problem) -> None:
    """A run whose test maps are as large as the test images, and clear enough to be decided."""
    run = write_maps_run(problem, "a")
    held_out = predictions_file.read(run.oof).scores
    heights = problem.test.frame["height"].to_numpy()
    alike = np.array([np.flatnonzero(held_out.sizes[:, 0] == high)[0] for high in heights])
    maps = held_out[alike]
    clear = Maps(
        maps.sizes,
        len(CLASSES),
        np.arange(len(maps)),
        lambda row: (2.0 * maps.read(row)).clip(0, 255).astype(np.uint8),
    )
    test = Predictions(problem.test.ids, clear, problem.columns, kind="map")
    run.test.with_suffix(".arrow").unlink()
    predictions_file.write(run.test, test)


def answers(problem: Problem, name: str) -> list[np.ndarray]:
    """(C, H, W) of each test sample, decided here by hand from the maps' levels."""
    run = problem.home.run(name)
    (part,) = read_parts(problem, run)
    maps = part.test.align(problem.test.ids, name=name).scores
    assert isinstance(maps, Maps)
    (step,) = read_decided(problem, run).decision.steps
    assert step.name in ("masks", "surest_class")
    if step.name == "surest_class":
        return [np.eye(len(CLASSES))[m.argmax(axis=0)].transpose(2, 0, 1) for m in maps]
    assert not any(np.atleast_1d(step.options["smallest_areas"]))
    thresholds = np.broadcast_to(step.options["thresholds"], len(CLASSES))
    return [m >= np.ceil(255 * thresholds)[:, None, None] for m in maps]


def test_a_table_of_runs_is_entered_and_copied(tmp_path):
    problem = with_tables(make_masks(tmp_path / "home", submission={"decision": "fixed"}))
    home = problem.home
    write_run(problem)
    done = submit(home, "a", problem=problem, display=QUIET)
    assert done.is_current
    assert done.entry.file.name == home.submission.name == "submission.csv"
    assert home.submission.read_bytes() == done.entry.file.read_bytes()
    assert check_submission(home, home.submission) == []
    frame = read_table(home.submission).frame
    names = [f"{name}_{label}" for name in sorted(problem.test.ids) for label in CLASSES]
    assert list(frame["id"]) == names
    wanted = np.concatenate([part.sum(axis=(1, 2)) for part in answers(problem, "a")])
    sizes = np.repeat(problem.test.frame[["height", "width"]].to_numpy(), len(CLASSES), axis=0)
    assert read_cells(list(frame["mask"]), *sizes.T).areas.tolist() == wanted.tolist()
    assert wanted.any()
    assert not submit(home, "a", problem=problem, display=QUIET).is_new


def test_a_zip_of_images_is_entered_and_copied_and_takes_the_tables_place(tmp_path):
    problem = make_masks(
        tmp_path / "home", exclusive=True, submission={"form": "images", "decision": "fixed"}
    )
    home = with_tables(problem).home
    write_run(problem)
    done = submit(home, "a", problem=problem, display=QUIET)
    assert [entry.file.name for entry in read_ledger(home)] == ["submission.zip"]
    assert home.submission == home.path / "submission.zip"
    assert home.submission.read_bytes() == done.entry.file.read_bytes()
    assert check_submission(home, home.submission) == []
    with zipfile.ZipFile(home.submission) as archive:
        for name, wanted in zip(problem.test.ids, answers(problem, "a"), strict=True):
            with Image.open(io.BytesIO(archive.read(f"{name}.png"))) as image:
                np.testing.assert_array_equal(np.asarray(image), wanted.argmax(axis=0))


def test_a_file_that_is_not_ours_is_kept_aside(tmp_path):
    problem = make_masks(
        tmp_path / "home", exclusive=True, submission={"form": "images", "decision": "fixed"}
    )
    home = with_tables(problem).home
    (home.path / "submission.csv").write_text("mine")
    write_run(problem)
    assert submit(home, "a", problem=problem, display=QUIET).is_current
    assert (home.path / "submission-yours-1.csv").read_text() == "mine"
    assert not (home.path / "submission.csv").exists()


def test_masks_of_several_decisions_are_no_vote(tmp_path):
    with pytest.raises(ConfigError, match="per_fold_decision is a vote"):
        make_masks(tmp_path / "home", submission={"test_merge": "per_fold_decision"})
