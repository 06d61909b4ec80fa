import json

import pytest

from foldwise import time_records
from foldwise.errors import DataError
from foldwise.time_records import Meter, machine_name, read_records


def test_a_meter_has_a_file_from_the_start_and_counts_to_its_end(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time_records.machine, "monotonic", lambda: now[0])
    monkeypatch.setenv("FOLDWISE_MACHINE", "tower")
    meter = Meter(tmp_path, "b/fold0-seed0", 5.0)
    (begun,) = read_records(tmp_path)
    assert (begun.seconds, begun.is_over, begun.machine, begun.run) == (5.0, False, "tower", "b")
    now[0] += 10
    meter.beat()
    assert read_records(tmp_path) == [begun]  # Written too lately.
    now[0] += 10
    meter.beat()
    (later,) = read_records(tmp_path)
    assert (later.seconds, later.began, later.id) == (25.0, begun.began, begun.id)
    now[0] += 1
    meter.end()
    (last,) = read_records(tmp_path)
    assert (last.seconds, last.is_over) == (26.0, True)


def test_a_count_that_cannot_be_written_is_made_good_later(tmp_path):
    (tmp_path / "costs").write_text("in the way")
    meter = Meter(tmp_path / "costs", "session")
    (tmp_path / "costs").unlink()
    meter.end()
    (record,) = read_records(tmp_path / "costs")
    assert record.run is None


def test_platforms_say_their_name(monkeypatch):
    monkeypatch.delenv("FOLDWISE_MACHINE", raising=False)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert machine_name() == "kaggle"
    monkeypatch.setenv("FOLDWISE_MACHINE", "other")
    assert machine_name() == "other"


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"id": "x"}))
    with pytest.raises(DataError, match=r"x\.json"):
        read_records(tmp_path)
    told: list[str] = []
    assert read_records(tmp_path, damaged=told) == []
    assert "x.json" in told[0]
