from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from foldwise.cli import app
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.replay import Replayed, replay
from foldwise.stages.replaying.differences import differences
from foldwise.stages.replaying.place import clear
from foldwise.stages.run import run
from foldwise.stages.submit import submit
from tests.builders import SMALL, make_home

from .small_competition import QUIET

ENTRY = "0001-blend"
COMMITTED = ("submission.csv", "runs", "submissions", "samples.parquet", "folds.csv")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A competition whose blend of two recipes is handed in; never changed."""
    folder = tmp_path_factory.mktemp("replay")
    other = {**SMALL, "train": {**SMALL["train"], "lr": 1e-3}}
    home = make_home(
        folder,
        recipes={"a": SMALL, "b": other},
        plan={
            "folds": {"count": 2},
            "blends": {"blend": {"method": "mean", "members": ["a", "b"]}},
            "submit": "blend",
        },
    )
    home.code.mkdir()
    (home.code / "mine.py").write_text("UNUSED = 1\n")
    assert not run(home, display=QUIET).failed
    shutil.rmtree(home.submissions)  # With those of the first folds.
    submit(home, "blend", display=QUIET)
    return folder


@pytest.fixture
def home(handed_in: Path, tmp_path: Path) -> Home:
    shutil.copytree(handed_in, tmp_path / "copy", symlinks=True)
    return Home(tmp_path / "copy" / "comp")


def contents(home: Home) -> dict[str, str]:
    """Hash of every file that a replay must not touch."""
    files = [
        path
        for name in COMMITTED
        for path in [home.path / name, *(home.path / name).rglob("*")]
        if path.is_file() and path.name not in (".lock", "ledger.db-shm", "ledger.db-wal")
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def replayed(home: Home, **options: Any) -> Replayed:
    """A replay that leaves everything as it was."""
    before = contents(home)
    done = replay(home, "blend", display=QUIET, **options)
    assert contents(home) == before
    return done


def kinds(done: Replayed) -> set[str]:
    return {drift.kind for drift in done.drifts}


def test_what_is_there_is_merged_to_the_same_bytes(home: Home) -> None:
    done = replayed(home)
    assert done.is_same
    assert not done.drifts
    assert not done.retrained
    assert not home.replay(ENTRY).path.exists()


def test_what_is_missing_is_trained_again_to_the_same_bytes(home: Home) -> None:
    shutil.rmtree(home.run("a").unit(0, 0).path)
    (home.run("b").unit(1, 0).valid).write_bytes(b"damaged")
    done = replayed(home)
    assert done.is_same
    assert done.retrained == {"a": ["fold0-seed0"], "b": ["fold1-seed0"]}


def test_from_scratch_all_is_trained_again_to_the_same_bytes(home: Home) -> None:
    done = replayed(home, from_scratch=True)
    assert done.is_same
    assert sum(map(len, done.retrained.values())) == 4


def test_data_and_the_ledger_are_enough(home: Home) -> None:
    for folder in (home.runs, home.cache, home.recipes, home.code):
        shutil.rmtree(folder)
    for file in (home.samples, home.folds, home.groups, home.plan):
        file.unlink(missing_ok=True)
    done = replayed(home)
    assert done.is_same
    assert kinds(done) == {"recipe", "code", "folds"}


def test_a_dry_run_tells_the_cost_and_writes_nothing(home: Home) -> None:
    shutil.rmtree(home.run("a").path)
    before = contents(home)
    result = CliRunner().invoke(app, ["replay", "1", "--dry-run", "-C", str(home.path)])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "nothing has changed" in text
    assert "to be trained again: 2 of 4 units (a/fold0-seed0, a/fold1-seed0); they took" in text
    assert contents(home) == before
    assert not (home.path / ".foldwise" / "replays").exists()


def test_killed_half_way_it_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    place = home.replay(f"{ENTRY}-from-scratch")
    words = [sys.executable, "-m", "foldwise", "replay", "1", "--from-scratch"]
    child = subprocess.Popen([*words, "-C", str(home.path), "-q"], start_new_session=True)
    first = place.run("a").unit(0, 0).record
    until = time.monotonic() + 120
    while not first.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    trained = first.stat().st_mtime_ns
    kept: list[int] = []

    def noted(place: Home) -> None:
        kept.append(first.stat().st_mtime_ns)
        clear(place)

    monkeypatch.setattr("foldwise.stages.replay.clear", noted)
    done = replayed(home, from_scratch=True)
    assert done.is_same
    assert kept == [trained]
    assert "fold0-seed0" not in done.retrained.get("a", [])


def _changed_image(home: Home) -> None:
    path = home.path.parent / "raw" / "images" / "003.png"
    Image.fromarray(np.zeros((20, 20, 3), dtype=np.uint8)).save(path)


def _changed_table(home: Home) -> None:
    path = home.path.parent / "raw" / "train.csv"
    path.write_text(path.read_text().replace("003,003.png,0", "003,003.png,1"))


def _changed_key(home: Home) -> None:
    text = home.competition.read_text()
    home.competition.write_text(text.replace("metric: accuracy", "metric: macro_f1"))


def _changed_recipe(home: Home) -> None:
    text = home.recipe("b").read_text()
    home.recipe("b").write_text(text.replace("lr: 0.001", "lr: 0.01"))


def _changed_code(home: Home) -> None:
    (home.code / "mine.py").write_text("UNUSED = 2\n")


def _changed_folds(home: Home) -> None:
    lines = home.folds.read_text().splitlines()
    lines[1] = lines[1][:-1] + ("1" if lines[1].endswith("0") else "0")
    home.folds.write_text("\n".join(lines) + "\n")


def _changed_file(home: Home) -> None:
    path = home.submissions / ENTRY / "submission.csv"
    path.write_text(path.read_text() + "\n")


def _other_machine(**facts: str) -> Callable[[Home], None]:
    def change(home: Home) -> None:
        path = home.submissions / ENTRY / "made_of.json"
        made = read_json(path)
        publish_json(path, {**made, "machine": {**made["machine"], **facts}})

    return change


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("data", _changed_image, "1 images have changed or are gone: images/003.png"),
        ("data", _changed_table, "train.csv has changed"),
        ("competition", _changed_key, "metric: accuracy -> macro_f1"),
        ("recipe", _changed_recipe, "b: train.lr: 0.001 -> 0.01"),
        ("code", _changed_code, "code/mine.py has changed"),
        ("folds", _changed_folds, "1 of 32 rows are in another fold or in none: 000"),
        ("file", _changed_file, "is not the file that was written"),
        ("versions", _other_machine(torch="1.13"), "torch 1.13 ->"),
        ("device", _other_machine(device="Tesla T4"), "Tesla T4 -> cpu"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 12 else "",
)
def test_each_kind_of_drift_is_named_and_what_was_recorded_is_taken(
    home: Home, kind: str, change: Callable[[Home], None], said: str
) -> None:
    change(home)
    done = replayed(home)
    assert kinds(done) == {kind}
    assert said in str(done.drifts[0])
    assert done.drifts[0].means
    assert done.is_same


def test_what_was_recorded_is_taken_by_training_too(home: Home) -> None:
    for change in (_changed_table, _changed_recipe, _changed_folds, _changed_code):
        change(home)
    shutil.rmtree(home.run("b").unit(0, 0).path)
    done = replayed(home)
    assert kinds(done) == {"data", "recipe", "folds", "code"}
    assert done.is_same


def test_changed_images_are_named_where_they_are_needed_for_training(home: Home) -> None:
    _changed_image(home)
    shutil.rmtree(home.cache)
    shutil.rmtree(home.run("b").unit(0, 0).path)
    with pytest.raises(RunError, match=r"images have changed .* b cannot be trained .*003\.png"):
        replay(home, "blend", display=QUIET)


def test_another_file_is_told_row_by_row_and_kept(home: Home) -> None:
    path = home.submissions / ENTRY / "submission.csv"
    lines = path.read_text().splitlines()
    name, answer = lines[3].split(",")
    lines[3] = f"{name},{(int(answer) + 1) % 3}"
    path.write_text("\n".join(lines) + "\n")
    facts = read_json(path.with_name("entry.json"))
    facts["submission_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    publish_json(path.with_name("entry.json"), facts)
    done = replayed(home)
    assert done.is_same is False
    (line,) = done.differences
    assert line.startswith("label: 1 of 10 rows differ by up to ")
    assert line.endswith(f": {name}")
    assert done.file is not None
    assert done.file.exists()
    result = CliRunner().invoke(app, ["replay", ENTRY, "-C", str(home.path)])
    assert result.exit_code == 1


def test_an_entry_of_an_older_foldwise_has_nothing_to_go_by_until_it_is_submitted_again(
    home: Home,
) -> None:
    made = home.submissions / ENTRY / "made_of.json"
    made.unlink()
    with pytest.raises(RunError, match="nothing is kept of what it was made of"):
        replay(home, "1", display=QUIET)
    submit(home, "blend", display=QUIET)
    assert made.exists()
    assert replay(home, "1", display=QUIET).is_same


def test_a_submission_that_is_not_there_is_told_with_those_that_are(home: Home) -> None:
    with pytest.raises(RunError) as caught:
        replay(home, "7", display=QUIET)
    assert ENTRY in caught.value.remedy


def test_copies_of_what_may_change_are_shared_by_submissions(home: Home) -> None:
    before = {path.name for path in (home.submissions / "materials").iterdir()}
    submit(home, "a", display=QUIET)
    assert {path.name for path in (home.submissions / "materials").iterdir()} == before
    made = json.loads((home.submissions / ENTRY / "made_of.json").read_text())
    assert set(made["materials"].values()) <= before


@pytest.mark.slow
def test_students_and_models_on_features_are_trained_again_after_what_they_read(
    tmp_path: Path,
) -> None:
    home = make_home(
        tmp_path,
        recipes={
            "a": SMALL,
            "features": {"features": ["a"], "head": {"name": "logistic"}},
            "student": {**SMALL, "pseudo": {"run": "a"}},
        },
        plan={
            "folds": {"count": 2},
            "blends": {"blend": {"method": "mean", "members": ["features", "student"]}},
            "submit": "blend",
        },
    )
    assert not run(home, display=QUIET).failed
    submit(home, "blend", display=QUIET)
    assert not replayed(home).retrained
    shutil.rmtree(home.runs)
    done = replay(home, "blend", display=QUIET)
    assert done.is_same
    assert done.retrained.keys() == {"a", "features", "student"}


def test_differences_are_told_by_column(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("id,p,q\na,0.1,x\nb,0.2,y\nc,0.3,z\n")
    new.write_text("id,p,q\na,0.1,x\nc,0.35,w\nb,0.2,y\n")
    assert list(differences(old, new)) == [
        "rows stand in another order",
        "p: 1 of 3 rows differ by up to 0.05: c",
        "q: 1 of 3 rows differ: c",
    ]
    new.write_text("id,p\na,0.1\n")
    assert list(differences(old, new)) == ["columns id, p, q -> id, p"]
    new.write_text("id,p,q\na,0.1,x\nb,0.2,y\nd,0.3,z\n")
    assert list(differences(old, new)) == ["rows: 1 are gone, 1 new"]
