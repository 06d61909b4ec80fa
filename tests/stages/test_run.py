"""The whole plan: what fails, is held or killed, and that the rest goes on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from foldwise.home import Home
from foldwise.publish import holder, locked
from foldwise.stages.display import Display
from foldwise.stages.prepare import prepare
from foldwise.stages.progress import TimeLeft
from foldwise.stages.run import run
from foldwise.stages.split import split
from foldwise.stages.submit import check_submission
from tests.builders import SMALL, make_home

pytestmark = pytest.mark.slow

BROKEN = {**SMALL, "model": {"name": "broken:network"}}
QUIET = Display(quiet=True)


def start(home: Home, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "foldwise", *words, "-C", str(home.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def artifacts(home: Home) -> dict[str, str]:
    """Hashes of what a run leaves, but for times."""
    wanted = ("*.parquet", "*.safetensors", "decision.json", "history.csv")
    files = [path for pattern in wanted for path in home.runs.rglob(pattern)]
    found = {str(p.relative_to(home.path)): p.read_bytes() for p in [*files, home.submission]}
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def wait_for(condition, *, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_recipe_that_fails_does_not_stop_the_others(tmp_path):
    home = make_home(tmp_path, recipes={"a": SMALL, "b": BROKEN}, plan={"folds": {"count": 2}})
    home.code.mkdir()
    (home.code / "broken.py").write_text(
        "def network(*, num_outputs, channels):\n    raise ValueError('no such luck')\n"
    )
    done = run(home, display=QUIET)
    assert list(done.failed) == ["b"]
    assert "no such luck" in done.failed["b"]
    assert check_submission(home, home.submission) == []
    assert json.loads(home.run("a").scores.read_text())["complete"]


def test_a_unit_has_one_trainer_and_the_other_names_it_at_once(tmp_path):
    home = make_home(tmp_path, plan={"folds": {"count": 2}})
    prepare(home, display=QUIET)
    split(home, display=QUIET)
    unit = home.run("a").unit(0, 0)
    with locked(unit.lock, doing="training a/fold0-seed0"):
        started = time.monotonic()
        other = start(home, "train", "a", "--fold", "0")
        output, _ = other.communicate(timeout=60)
        spent = time.monotonic() - started
    assert other.returncode == 2
    assert str(os.getpid()) in output
    assert "training a/fold0-seed0" in output
    assert not unit.record.exists()
    print(f"exited after {spent:.1f} s")
    # Two seconds on a quiet machine; on a busy one no more than a second start of Python.
    assert spent < max(2.0, 2 * _start_seconds())


def _start_seconds() -> float:
    """What Python and the libraries that read tables take on this machine at this moment."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import foldwise.stages.train"], check=True)
    return time.monotonic() - started


def test_a_killed_run_takes_its_units_along_and_goes_on_to_the_same_bits(tmp_path):
    recipe = {**SMALL, "train": {**SMALL["train"], "epochs": 6}}
    plan = {"folds": {"count": 2}}
    whole = make_home(tmp_path / "whole", recipes={"a": recipe}, plan=plan)
    run(whole, display=QUIET)
    home = make_home(tmp_path / "killed", recipes={"a": recipe}, plan=plan)
    process = start(home, "run")
    histories = [home.run("a").unit(fold, 0).history for fold in (0, 1)]
    assert wait_for(lambda: any(path.exists() for path in histories))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    locks = [home.run("a").unit(fold, 0).lock for fold in (0, 1)]
    assert wait_for(lambda: all(holder(lock) is None for lock in locks), seconds=20)
    assert run(home, display=QUIET).failed == {}
    assert artifacts(home) == artifacts(whole)


#: Quick in its trial, then ten seconds for every batch.
SLOW = """
import time
from pathlib import Path
from torch import nn

TRAINING = Path(__file__).parents[1] / "runs" / "b" / "run.json"

class Slow(nn.Module):
    def __init__(self, num_outputs, channels):
        super().__init__()
        self.head = nn.Linear(channels * 16, num_outputs)
        self.pool = nn.AdaptiveAvgPool2d(4)

    def forward(self, images):
        if TRAINING.exists():
            time.sleep(10)
        return self.head(self.pool(images).flatten(1))

def network(*, num_outputs, channels):
    return Slow(num_outputs, channels)
"""


def test_a_model_far_slower_than_forecast_ends_in_time_with_a_valid_file(tmp_path):
    slow = {**SMALL, "model": {"name": "slow:network"}}
    home = make_home(tmp_path, recipes={"b": slow}, plan={"folds": {"count": 2}})
    home.code.mkdir()
    (home.code / "slow.py").write_text(SLOW)
    started, limit = time.monotonic(), 16.0
    done = run(home, stop_at=started + limit, display=QUIET)
    assert time.monotonic() - started < limit + 5.0
    assert check_submission(home, home.submission) == []
    assert done.notes
    assert done.failed == {}


def test_a_limited_run_hands_in_what_it_has_trained_and_writes_the_report(tmp_path):
    home = make_home(tmp_path, recipes={"a": SMALL}, plan={"folds": {"count": 2}, "parallel": 2})
    done = run(home, stop_at=time.monotonic() + 60.0, display=QUIET)
    assert done.failed == {}
    assert check_submission(home, home.submission) == []
    assert json.loads(home.stamp("submission").read_text())["run"] == "a"
    assert home.report.exists()


def test_new_test_rows_are_scored_with_the_weights_there_are(tmp_path):
    home = make_home(tmp_path, num_train=24, plan={"folds": {"count": 2}})
    assert run(home, display=QUIET).failed == {}
    before = {p: p.stat().st_mtime_ns for p in home.runs.rglob("weights.safetensors")}
    raw = home.path.parent / "raw"
    for name in ("test.csv", "sample_submission.csv"):
        header, first, *rest = (raw / name).read_text().splitlines()
        more = first.replace(first.split(",")[0], "new", 1)
        (raw / name).write_text("\n".join([header, first, *rest, more]) + "\n")
    assert run(home, display=QUIET).failed == {}
    assert check_submission(home, home.submission) == []
    answers = dict(line.split(",") for line in home.submission.read_text().split())
    assert answers["new"] == answers[first.split(",")[0]]
    assert {p: p.stat().st_mtime_ns for p in home.runs.rglob("weights.safetensors")} == before


def test_recipes_on_one_fold_are_blended_and_each_warning_is_said_once(tmp_path, capsys):
    one_fold = {**SMALL, "folds": [0]}
    recipes = {"a": one_fold, "b": {**one_fold, "train": {**SMALL["train"], "lr": 1e-3}}}
    plan = {"folds": {"count": 2}, "blends": {"both": {}}}
    home = make_home(tmp_path, recipes=recipes, plan=plan)
    done = run(home, display=Display(console=Console(width=500)))
    assert done.failed == {}
    record = json.loads(home.run("both").record.read_text())
    assert [member["name"] for member in record["members"]] == ["a", "b"]
    warned = [line for line in capsys.readouterr().out.splitlines() if line.startswith("!")]
    assert any(line.startswith("! a: fold 1 not done") for line in warned)
    assert len(set(warned)) == len(warned)


def test_the_deadline_clock_is_shown_before_anything_is_trained(tmp_path, capsys):
    home = make_home(tmp_path, competition={"deadline": "2131-05-06 23:59 Europe/Berlin"})
    run(home, dry_run=True, display=Display(console=Console(width=500)))
    assert "latest safe upload 2131-05-06 22:59 CEST (scoring" in capsys.readouterr().out


def test_time_left_is_what_the_rest_costs_at_the_pace_so_far(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    left = TimeLeft({"a/fold0": 10.0, "a/fold1": 10.0, "b/fold0": 40.0})
    clock[0] += 30.0
    assert left.ended("a/fold0") == "1 of 3, about 2 min 30 s left"
    clock[0] += 30.0
    assert left.ended("a/fold1") == "2 of 3, about 2 min 00 s left"
    assert left.ended("b/fold0") == "3 of 3"
