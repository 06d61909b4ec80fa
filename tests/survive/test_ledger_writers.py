"""The ledger loses no acknowledged record and never shows a half one (RELIABILITY S2)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_no_record_is_lost_or_torn_while_writers_are_killed(tmp_path, num_records):
    num_kills = num_records // 10
    command = [sys.executable, "-m", "tests.survive.ledger_driver", str(tmp_path), "10"]
    found = subprocess.run(
        [*command, str(num_records), str(num_kills)], capture_output=True, text=True, cwd=ROOT
    )
    assert found.returncode == 0, found.stderr
    print(found.stdout, found.stderr)
    counts = json.loads(found.stdout)
    assert counts["acknowledged"] == counts["planned"] == 10 * num_records
    assert counts["kills"] >= 0.75 * num_kills
    assert counts["reads"] >= 3
    for harm in ("failed", "lost", "double", "torn", "torn_at_end", "shrunk", "same_number"):
        assert counts[harm] == 0, harm
    assert counts["damaged"] == 0


@pytest.fixture
def num_records(request: pytest.FixtureRequest) -> int:
    return 2000 if request.config.getoption("--full") else 200
