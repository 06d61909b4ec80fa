"""A pack of masks answers as the run does, whatever the order, the damage and the kills."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.masks.text import read_cells
from foldwise.publish import publish_json
from foldwise.stages.answer import answer
from foldwise.stages.answering import handing_in
from foldwise.stages.prove import prove
from foldwise.stages.submit import submit
from foldwise.stages.submitting.checks import check_submission
from foldwise.tasks.problem import open_problem
from tests.stages.answering.trained import mounted, pack
from tests.stages.answering.trained_masks import make_trained_masks
from tests.stages.mounted_notebooks import QUIET

pytestmark = pytest.mark.slow
IMAGES = {"submission": {"form": "images"}, "metric": "mean_iou", "exclusive": True}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Packed, and never changed by a test."""
    made = make_trained_masks(tmp_path_factory.mktemp("masks"))
    pack(made)
    return made


@pytest.fixture(scope="module")
def own(home: Home) -> bytes:
    return submit(home, "mix", display=QUIET).entry.file.read_bytes()


def answered(home: Home, folder: Path, **options: Any) -> handing_in.HandIn:
    source = folder / "input"
    if not source.exists():
        mounted(home, folder)
    given = {"source": source, "output": folder / "out", "work": folder / "work", **options}
    return answer(home.packs / "answer", display=QUIET, **given)


def handed_in(folder: Path) -> bytes:
    return (folder / "out" / "submission.csv").read_bytes()


def test_every_file_is_valid_and_the_last_is_the_runs_own(
    home: Home, own: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[bytes] = []
    publish = handing_in.publish_bytes

    def watch(path: Path, data: bytes) -> None:
        publish(path, data)
        published.append(data)
        assert check_submission(home, path) == []

    monkeypatch.setattr(handing_in, "publish_bytes", watch)
    found = answered(home, tmp_path)
    assert found.is_whole
    assert len(published) == 1 + found.num_rounds == 5
    assert published[-1] == handed_in(tmp_path) == own
    empty = pd.read_csv(tmp_path / "out" / "submission.csv", dtype=str, keep_default_na=False)
    assert set(empty["rle"]) > {""}
    assert b" " not in published[0]  # No run at all.
    alone = submit(home, "a", display=QUIET).entry.file.read_bytes()
    assert published[1] != alone  # One fold of it.
    assert found.settled == 0


def test_a_gated_blend_answers_as_its_run_does(tmp_path: Path) -> None:
    home = make_trained_masks(tmp_path / "made", ("a",), is_gated=True)
    decision = read_json(home.run("mix").decision)
    options = {
        **decision["steps"][-1]["options"],
        "chances": [[0.0, 1.0, 1.0]] * 2,
        "least_chances": 0.4,
    }
    step = {"name": "masks", "options": options, "fitted": True}
    publish_json(home.run("mix").decision, {**decision, "steps": [step], "folds": {}})
    own = submit(home, "mix", display=QUIET).entry.file.read_bytes()
    pack(home)
    found = answered(home, tmp_path)
    assert found.is_whole
    assert handed_in(tmp_path) == own
    assert any(unit.startswith("g/") for unit in found.units)


def test_rows_and_images_in_another_order_give_the_same_file(
    home: Home, own: bytes, tmp_path: Path
) -> None:
    data = mounted(home, tmp_path) / "the-data"
    table = data / "test.csv"
    pd.read_csv(table, dtype=str)[::-1].to_csv(table, index=False)
    for path in sorted(data.glob("s*.png"), reverse=True):
        path.rename(path.with_suffix(".moved"))
        path.with_suffix(".moved").rename(path)
    (data / "train.csv").unlink()  # Nothing of train is wanted there.
    for row in range(32):
        (data / f"s{row:03d}.png").unlink()
    assert answered(home, tmp_path).is_whole
    assert handed_in(tmp_path) == own


def test_images_that_cannot_be_used_cost_their_own_masks_alone(
    home: Home, own: bytes, tmp_path: Path
) -> None:
    data, ids = mounted(home, tmp_path) / "the-data", open_problem(home).test.ids
    (data / f"{ids[0]}.png").unlink()
    (data / f"{ids[1]}.png").write_bytes(b"")
    torn = data / f"{ids[3]}.png"
    torn.write_bytes(torn.read_bytes()[:200])
    found = answered(home, tmp_path)
    assert found.is_whole
    assert any("3 damaged test images get empty masks" in note for note in found.notes)
    (tmp_path / "own.csv").write_bytes(own)
    ours, theirs = (
        pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")["rle"]
        for path in (tmp_path / "own.csv", tmp_path / "out" / "submission.csv")
    )
    lost = np.array([name.rpartition("_")[0] in set(ids[[0, 1, 3]]) for name in ours.index])
    assert list(ours.index) == list(theirs.index)
    assert (ours[~lost] == theirs[~lost]).all()
    assert (theirs[lost] == "").all()
    assert (ours[lost] != "").any()


_ANSWER = """
import sys
from pathlib import Path
from foldwise.publish import publish_json
from foldwise.stages.answer import answer
from foldwise.stages.display import Display
if __name__ == "__main__":
    pack, folder = map(Path, sys.argv[1:])
    answer(pack, source=folder / "input", output=folder / "out", work=folder / "work",
           display=Display(quiet=True))
"""


def test_killed_in_the_middle_the_last_file_stays_and_the_rest_is_done_later(
    home: Home, own: bytes, tmp_path: Path
) -> None:
    mounted(home, tmp_path)
    script, log = tmp_path / "answer.py", tmp_path / "out" / "answer.json"
    script.write_text(_ANSWER)
    process = subprocess.Popen([sys.executable, script, home.packs / "answer", tmp_path])
    end = time.monotonic() + 120
    while not (log.exists() and json.loads(log.read_text())["rounds"]):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert check_submission(home, tmp_path / "out" / "submission.csv") == []
    before = handed_in(tmp_path)
    done = list((tmp_path / "work" / "competition" / "runs").rglob("test.arrow"))
    assert done
    times = {path: path.stat().st_mtime_ns for path in done}
    assert answered(home, tmp_path).is_whole
    assert handed_in(tmp_path) == own != before
    scored = [path for path in done if path.with_suffix(".parquet").exists()]
    assert all(path.stat().st_mtime_ns == times[path] for path in scored[:1])


def test_a_member_that_cannot_answer_costs_no_round_of_the_others(
    home: Home, tmp_path: Path
) -> None:
    copy = tmp_path / "pack"
    shutil.copytree(home.packs / "answer", copy)
    for path in (copy / "runs" / "b").rglob("weights.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    source = mounted(home, tmp_path)
    found = answer(copy, source=source, output=tmp_path / "out", work=tmp_path / "w", display=QUIET)
    assert not found.is_whole
    assert any("by a alone" in note for note in found.notes)
    alone = submit(home, "a", display=QUIET).entry.file.read_bytes()
    assert handed_in(tmp_path) == alone


def test_less_time_packs_less(home: Home) -> None:
    whole = json.loads((home.packs / "answer" / "pack.json").read_text())
    assert whole["submission"] == "submission.csv"
    seconds = 10 + sum(each["seconds"] + each["hand_in_s"] for each in whole["rounds"])
    assert whole["seconds"] == pytest.approx(seconds, rel=0.2)
    less = pack(home, as_name="less", limit=f"{int(1.25 * seconds * 0.75)}s")
    facts = json.loads((less / "pack.json").read_text())
    assert 0 < len(facts["rounds"]) < len(whole["rounds"])
    assert facts["notes"]
    shutil.rmtree(less)


def test_a_zip_of_images_is_the_runs_own_and_proved(tmp_path: Path) -> None:
    home = make_trained_masks(tmp_path / "desk", ["a"], **IMAGES)
    own = submit(home, "a", display=QUIET).entry.file.read_bytes()
    folder = pack(home, "a", skips_public=True)
    assert "submission.zip" in (folder / "answer.ipynb").read_text()
    found = answered(home, tmp_path / "there")
    assert found.is_skipped
    path = tmp_path / "there" / "out" / "submission.zip"
    assert check_submission(home, path) == []
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 9
    assert answered(home, tmp_path / "there", in_full=True).is_whole
    assert path.read_bytes() == own
    proof = prove(home, "answer", display=QUIET)
    assert proof.holds, [check for check in proof.checks if check.passed is False]
    (same,) = [check for check in proof.checks if check.what == "its submission is the run's own"]
    assert same.detail == "byte for byte"


def test_cells_are_masks_of_their_images(home: Home, own: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(own)
    frame = pd.read_csv(tmp_path / "own.csv", dtype=str, keep_default_na=False)
    test = open_problem(home).test.frame.set_index("id")
    sizes = test.loc[[name.rpartition("_")[0] for name in frame["id"]], ["height", "width"]]
    areas = read_cells(list(frame["rle"]), *sizes.to_numpy().T).areas
    dots = areas[[name.endswith("_dot") for name in frame["id"]]]
    # Dots have 64 pixels, and every second sample has one.
    assert 40 < np.median(dots[dots > 0]) < 90
    assert 3 <= (dots > 0).sum() <= 6
