"""kill -9 at any moment, then run again: the same bits (RELIABILITY R1, R2, R4)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def drive(folder: Path, num_kills: int, how: int | str) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.survive.driver", str(folder)]
    found = subprocess.run(
        [*command, str(num_kills), str(how)], capture_output=True, text=True, cwd=ROOT
    )
    assert found.returncode == 0, found.stderr
    print(found.stdout, found.stderr)
    return dict(json.loads(found.stdout.splitlines()[-1]))


def test_killed_units_go_on_to_the_same_bits(tmp_path, num_kills):
    counts = drive(tmp_path, num_kills, 1)
    assert counts["killed"] >= 0.75 * counts["planned"]
    assert counts["identical"] == counts["planned"] == num_kills
    assert counts["strays"] == 0


def test_units_killed_again_while_resuming_go_on_to_the_same_bits(tmp_path, num_kills):
    rounds = max(2, num_kills // 10)
    counts = drive(tmp_path, rounds, 5)
    assert counts["killed"] >= 0.75 * 5 * rounds
    assert counts["identical"] == rounds


def test_units_that_meet_a_full_disk_at_the_nth_write_go_on_to_the_same_bits(tmp_path, num_kills):
    num = num_kills // 3
    counts = drive(tmp_path, num, "full-disk")
    assert counts["killed"] == counts["planned"] == num
    assert counts["identical"] == num
    assert counts["strays"] == 0


@pytest.fixture
def num_kills(request: pytest.FixtureRequest) -> int:
    return 200 if request.config.getoption("--full") else 12
