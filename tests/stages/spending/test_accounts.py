from datetime import UTC, datetime

import pytest

from foldwise.config.plan import MachineConfig
from foldwise.stages.spending.accounts import accounts
from foldwise.stages.spending.hours import seconds_by_run, stretches
from foldwise.stages.spending.quotas import period, quota
from foldwise.time_records import TimeRecord

HOUR = 3600.0
# A Thursday.
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
START = NOW.timestamp() - 10 * HOUR


def record(name, began, hours, *, machine="kaggle", host="h1", device="Tesla T4"):
    key = f"{name}-{began}-{host}"
    return TimeRecord(key, name, machine, host, device, START + began * HOUR, hours * HOUR, True)


def test_a_session_and_units_side_by_side_use_the_machine_once():
    records = [
        record("session", 0, 4),
        record("a/fold0-seed0", 1, 2),
        record("a/fold1-seed0", 1, 1),
        record("b/fold0-seed0", 2, 1),
    ]
    found = stretches(records)
    assert sum(stretch.seconds for stretch in found) == 4 * HOUR
    shares = {run: seconds / HOUR for run, seconds in seconds_by_run(found).items()}
    assert shares == {"": 2.0, "a": 1.5, "b": 0.5}


def test_a_killed_and_resumed_unit_counts_each_process_once():
    records = [record("a/fold0-seed0", 0, 1), record("a/fold0-seed0", 2, 0.5)]
    assert seconds_by_run(stretches(records)) == {"a": 1.5 * HOUR}
    # One that has just begun has no time yet, and does not stretch to the next moment.
    records.append(record("a/fold1-seed0", 0.5, 0.0))
    assert seconds_by_run(stretches(records)) == {"a": 1.5 * HOUR}


def test_two_hosts_at_the_same_time_are_two_uses():
    records = [record("a/x", 0, 1), record("a/y", 0, 1, host="h2")]
    assert seconds_by_run(stretches(records)) == {"a": 2 * HOUR}


@pytest.mark.parametrize(
    ("config", "begins", "ends"),
    [
        ({"per": "day"}, "2026-01-15", "2026-01-16"),
        ({"per": "week"}, "2026-01-12", "2026-01-19"),
        ({"per": "week", "week_begins": "saturday"}, "2026-01-10", "2026-01-17"),
        ({"per": "week", "week_begins": "thursday"}, "2026-01-15", "2026-01-22"),
        ({"per": "month"}, "2026-01-01", "2026-02-01"),
    ],
)
def test_periods_hold_the_moment(config, begins, ends):
    begin, end = period(MachineConfig(**config), NOW)
    assert (f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}") == (begins, ends)
    assert begin <= NOW < end


def test_only_gpu_hours_of_this_period_use_up_a_quota():
    config = MachineConfig(quota="30h", per="day")
    records = [
        record("a/x", -4, 3),  # One hour of it is after midnight.
        record("a/y", 1, 2),
        record("a/z", 4, 5, device="cpu"),
    ]
    found = quota(stretches(records), config, NOW)
    assert found.used_s == 3 * HOUR
    assert found.left_s == 27 * HOUR
    every = MachineConfig(quota="5h", per="day", counts="all")
    assert quota(stretches(records), every, NOW).left_s == 0.0
    assert quota(stretches(records), MachineConfig(), NOW) is None


def test_sums_of_runs_are_sums_of_machines_and_gains_are_over_the_best_before():
    records = [
        record("session", 0, 3),
        record("a/x", 0, 1),
        record("b/x", 1, 1, machine="tower", host="t"),
        record("c/x", 2, 0.5),
        record("d/x", 4, 1),
    ]
    machines = {"kaggle": MachineConfig(quota="30h"), "tower": MachineConfig(price=2.0)}
    scores = {"a": 0.70, "b": 0.68, "c": 0.72}
    found = accounts(records, machines, scores, higher_is_better=True, now=NOW)
    assert sum(run.seconds for run in found.runs) == found.seconds == 5 * HOUR
    assert sum(run.money for run in found.runs) == found.money == 2.0
    by_name = {run.name: run for run in found.runs}
    assert list(by_name) == ["a", "b", "c", "d", ""]
    assert by_name["a"].gain is None
    assert by_name["b"].gain == 0.0
    assert by_name["c"].gain == pytest.approx(0.02)
    assert by_name["c"].gain_per_hour == pytest.approx(0.04)
    assert by_name["d"].gain is None
    worse = accounts(records, machines, scores, higher_is_better=False, now=NOW)
    assert {run.name: run.gain for run in worse.runs}["b"] == pytest.approx(0.02)
