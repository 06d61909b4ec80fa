"""The first file of a limited run of masks: valid, cheap, and soon replaced."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.json_files import read_json
from foldwise.stages.scheduling.floor import FLOOR, hand_in_floor, stands_on_floor
from foldwise.stages.scoring import deciding
from foldwise.stages.submit import check_submission, submit
from foldwise.tables import read_table
from foldwise.tasks.problem import Problem
from tests.stages.scoring.mask_competition import make_masks
from tests.stages.small_competition import QUIET
from tests.stages.test_submit_masks import with_tables, write_run

IMAGES = {"exclusive": True, "submission": {"form": "images"}}


def ready(folder: Path, **changes: object) -> Problem:
    return with_tables(make_masks(folder / "home", **changes))


def test_a_table_of_empty_masks_until_a_fold_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = ready(tmp_path)
    home = problem.home
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "decide", None)  # Nothing may be fitted: that takes a while.
        hand_in_floor(problem, QUIET)
    assert stands_on_floor(home)
    assert check_submission(home, home.submission) == []
    assert set(read_table(home.submission).frame["mask"]) == {""}
    scores = read_json(home.run(FLOOR).scores)
    (empty,) = scores["references"]
    assert scores["score"] == pytest.approx(empty["score"])
    assert "no network" in scores["how"]["sentence"]
    assert scores["how"]["got"] == "cross-fitted"
    write_run(problem)
    submit(home, "a", problem=problem, display=QUIET)
    assert not stands_on_floor(home)


def test_images_of_the_commonest_class_of_the_other_folds(tmp_path: Path) -> None:
    problem = ready(tmp_path, **IMAGES)
    home = problem.home
    hand_in_floor(problem, QUIET)
    assert home.submission.name == "submission.zip"
    assert check_submission(home, home.submission) == []
    with zipfile.ZipFile(home.submission) as archive:
        assert len(archive.namelist()) == len(problem.test)
    oof = predictions_file.read(home.run(FLOOR).oof).align(problem.train.ids, name="floor")
    areas = problem.target.areas
    for row in (0, 40, 107):
        others = areas[problem.folds != problem.folds[row]].sum(axis=0)
        wanted = 255 * (np.arange(2) == others.argmax())
        assert oof.scores.read(row).max(axis=(1, 2)).tolist() == wanted.tolist()
        assert oof.scores.read(row).min(axis=(1, 2)).tolist() == wanted.tolist()
