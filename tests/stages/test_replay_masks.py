"""Submissions of masks made again: the same bytes, or what has changed by name."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend
from foldwise.stages.predict import predict
from foldwise.stages.recipes import load_recipe
from foldwise.stages.replay import replay
from foldwise.stages.replaying.differences import differences
from foldwise.stages.scheduling.floor import FLOOR, hand_in_floor
from foldwise.stages.submit import submit
from foldwise.stages.submitting.ledger import read_ledger
from foldwise.stages.train import record_run, units_of
from foldwise.tasks.problem import open_problem
from tests.stages.answering.trained_masks import EXCLUSIVE, RECIPES
from tests.stages.small_competition import QUIET
from tests.stages.small_masks import masks_ready
from tests.stages.small_units import work


def handed_in(folder: Path, name: str, **changes: Any) -> Home:
    """One run trained in this process, or its blend with a second seed's."""
    own = EXCLUSIVE if changes.get("exclusive") else {}
    home = masks_ready(folder, {**RECIPES["a"], **own}, num_train=16, **changes)
    for run, seed in (("a", 0), ("other", 1))[: 1 + (name == "mix")]:
        found = units_of(
            open_problem(home), load_recipe(home, "a"), RunDir(home.runs / run), seeds=(seed,)
        )
        record_run(found[0], (seed,))
        for unit in found:
            work(unit)
        predict(home, run, display=QUIET)
    if name == "mix":
        blend(home, "mix", members=["a", "other"], display=QUIET)
    submit(home, name, display=QUIET)
    return home


@pytest.mark.parametrize("name", ["a", "mix"])
def test_the_same_file_comes_out_of_the_units_that_are_there(tmp_path: Path, name: str) -> None:
    home = handed_in(tmp_path, name)
    (entry,) = read_ledger(home)
    home.masks.write_bytes(b"of another day")  # They are kept as they were.
    for run in home.runs.iterdir():  # Merged anew.
        (run / "merged.json").unlink(missing_ok=True)
    if name == "mix":
        shutil.rmtree(home.runs / "mix")
    done = replay(home, "1", display=QUIET)
    assert done.is_same
    assert not done.retrained
    assert entry.file.suffix == ".csv"


def test_images_whose_maps_are_others_now_are_named(tmp_path: Path) -> None:
    home = handed_in(
        tmp_path, "a", exclusive=True, submission={"form": "images"}, metric="mean_iou"
    )
    (entry,) = read_ledger(home)
    assert replay(home, "1", display=QUIET).is_same
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(entry.file) as old, zipfile.ZipFile(changed, "w") as new:
        names = old.namelist()
        for name in names:
            content = old.read(name)
            new.writestr(name, content if name != names[2] else b"other")
    assert list(differences(entry.file, changed)) == [f"1 of {len(names)} files differ: {names[2]}"]
    with zipfile.ZipFile(changed, "w") as new:
        new.writestr(names[0], b"")
    assert list(differences(entry.file, changed)) == [f"files: {len(names) - 1} are gone, 0 new"]


def test_a_unit_whose_maps_were_touched_is_trained_again(tmp_path: Path) -> None:
    home = handed_in(tmp_path, "a")
    table = home.runs / "a" / "units" / "fold0-seed0" / "test.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    done = replay(home, "1", dry_run=True, display=QUIET)
    assert done.retrained == {"a": ["fold0-seed0"]}


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_file_that_a_run_began_with_is_made_again(tmp_path: Path, exclusive: bool) -> None:
    home = masks_ready(tmp_path, num_train=16, exclusive=exclusive)
    hand_in_floor(open_problem(home), QUIET)
    assert replay(home, FLOOR, display=QUIET).is_same
