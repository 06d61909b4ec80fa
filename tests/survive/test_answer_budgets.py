"""Members slower than planned, and kill -9: a valid file, in time (RELIABILITY S6)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from foldwise.home import Home
from foldwise.stages.submitting.checks import check_submission
from tests.builders import SMALL, make_home
from tests.stages.answering.trained import mounted, pack
from tests.stages.mounted_notebooks import QUIET

pytestmark = pytest.mark.slow

#: A network that takes its time where it answers, without taking any of the processor's.
_SLOW = """\
import os, time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4, num_outputs)

    def forward(self, images):
        if not self.training:
            time.sleep(float(os.environ.get("SLOW_S", "0")))
        return self.head(self.body(images))

def net(*, num_outputs, channels):
    return Net(num_outputs)
"""
_SIDE_BY_SIDE = 3


@dataclass
class Started:
    """A pack at work."""

    process: subprocess.Popen[bytes]
    output: Path
    budget: float
    kill_after: float | None
    begun: float
    first_file: float | None = None
    is_killed: bool = False

    def poll(self) -> bool:
        """Whether it is over; kills it so long after its first file."""
        now = time.monotonic()
        if self.first_file is None and (self.output / "submission.csv").exists():
            self.first_file = now
        is_due = self.kill_after is not None and self.first_file is not None
        if is_due and now >= self.first_file + self.kill_after and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.is_killed = True
        return self.process.poll() is not None


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    from foldwise.stages.run import run

    slow = {**SMALL, "model": {"name": "slow_net:net"}, "views": ["identity", "hflip"]}
    folder = tmp_path_factory.mktemp("budgets")
    home = make_home(folder, recipes={"a": SMALL, "slow": slow}, num_train=48, num_test=12,
                     plan={"blends": {"mix": {"members": ["a", "slow"]}}})  # fmt: skip
    home.code.mkdir(exist_ok=True)
    (home.code / "slow_net.py").write_text(_SLOW)
    run(home, display=QUIET)
    pack(home)
    return home


def started(home: Home, folder: Path, *, slower: float, budget: float, kill: float | None):
    """A pack whose members take so many times longer than its plan says."""
    shutil.copytree(home.packs / "answer", folder / "answer")
    path = folder / "answer" / "pack.json"
    facts = json.loads(path.read_text())
    unit_s = budget / (len(facts["rounds"]) + 1)  # All of it would take longer than there is.
    for each in facts["rounds"]:
        each["seconds"] = unit_s / slower
    path.write_text(json.dumps(facts))
    command = [sys.executable, "-m", "foldwise", "session", str(folder / "answer")]
    command += ["--input", str(mounted(home, folder)), "--output", str(folder / "out")]
    command += ["--work", str(folder / "work"), "--limit", f"{budget:.0f}s"]
    command += ["--in-full"]  # Else the last members have nothing left to be slow at.
    environment = {**os.environ, "SLOW_S": f"{unit_s:.3f}"}
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=said)
    return Started(process, folder / "out", budget, kill, time.monotonic())


def test_members_slower_than_planned_and_kills_leave_a_valid_file_in_time(
    home, tmp_path, num_runs, request
):
    rng = np.random.default_rng(5)
    longest = 300.0 if request.config.getoption("--full") else 40.0
    waiting = [
        {
            "slower": float(rng.uniform(2.5, 10)),
            "budget": float(rng.uniform(30, longest)),
            "kill": float(rng.uniform(0, 25)) if number % 2 else None,
        }
        for number in range(num_runs)
    ]
    running: list[Started] = []
    counts = {"planned": num_runs, "killed": 0, "valid": 0, "in time": 0}
    while waiting or running:
        while waiting and len(running) < _SIDE_BY_SIDE:
            folder = tmp_path / str(len(waiting))
            folder.mkdir()
            running.append(started(home, folder, **waiting.pop()))
        for one in list(running):
            spent = time.monotonic() - one.begun
            if not one.poll():
                assert spent < 3 * one.budget + 60
                continue
            running.remove(one)
            counts["killed"] += one.is_killed
            rounds = json.loads((one.output / "answer.json").read_text())["rounds"]
            print(f"{spent:.0f} s of {one.budget:.0f} s, killed: {one.is_killed}, {rounds} rounds")
            counts["valid"] += check_submission(home, one.output / "submission.csv") == []
            counts["in time"] += spent <= one.budget + max(5.0, 0.01 * one.budget)
        time.sleep(0.05)
    print(json.dumps(counts))
    assert counts["valid"] == counts["in time"] == num_runs
    assert counts["killed"] >= num_runs // 4


@pytest.fixture
def num_runs(request: pytest.FixtureRequest) -> int:
    return 30 if request.config.getoption("--full") else 4
