"""The deadline clock: worked by hand, across zones and changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.errors import BudgetError
from foldwise.stages.scheduling.deadline_clock import (
    check_in_time,
    clock_line,
    deadline_clock,
    latest_words,
    longest_run_s,
)

HOUR = 3600.0
END = "2031-05-06T23:59:00+00:00"


def competition(deadline: str | None = END, **changes: Any) -> Competition:
    values = {
        "name": "small",
        "platform": "kaggle:small",
        "data": "data",
        "tables": {"train": "train.csv"},
        "images": {"column": "path"},
        "columns": {"id": "id", "target": ["label"]},
        "task": "multiclass",
        "classes": ["a", "b"],
        "metric": "accuracy",
        "deadline": deadline,
        **changes,
    }
    return from_values(values, Competition, source="test")


def clock(run_s: float | None = None, **changes: Any) -> Any:
    return deadline_clock(competition(**changes), run_s=run_s)


def test_a_competition_without_a_deadline_has_no_clock() -> None:
    assert clock(deadline=None) is None
    assert longest_run_s(competition(None), datetime.now(UTC)) is None
    check_in_time(None, datetime.now(UTC))


def test_a_file_needs_scoring_only() -> None:
    found = clock()
    assert [(p.name, p.expected_s, p.margin_s) for p in found.parts] == [("scoring", 300, 1500)]
    assert found.latest_start == datetime(2031, 5, 6, 23, 29, tzinfo=UTC)


def test_a_notebook_waits_runs_and_is_scored() -> None:
    """Two hours forecast may become four: 23:59 - 1:00 - 4:00 - 0:30 = 18:29."""
    found = clock(2 * HOUR, submission={"by": "notebook"})
    assert [(p.name, p.expected_s, p.margin_s) for p in found.parts] == [
        ("queue", 600, 3000),
        ("run", 2 * HOUR, 2 * HOUR),
        ("scoring", 300, 1500),
    ]
    assert found.latest_start == datetime(2031, 5, 6, 18, 29, tzinfo=UTC)


def test_a_run_never_takes_longer_than_is_allowed() -> None:
    """It is ended there: 6 of 9 hours doubled are 9; nothing forecast counts as 9."""
    by = {"submission": {"by": "notebook"}, "limits": {"inference": "9h"}}
    assert [(p.expected_s, p.margin_s) for p in clock(6 * HOUR, **by).parts][1] == (
        6 * HOUR,
        3 * HOUR,
    )
    for run_s in (None, 20 * HOUR):
        assert [(p.expected_s, p.margin_s) for p in clock(run_s, **by).parts][1] == (9 * HOUR, 0)


def test_what_the_competition_says_comes_before_what_is_known() -> None:
    said = {
        "queue": "1m",
        "queue_margin": "2m",
        "run_slowdown": 1.5,
        "scoring": "3m",
        "scoring_margin": "4m",
    }
    found = clock(HOUR, submission={"by": "notebook"}, limits={"clock": said})
    assert [part.total_s for part in found.parts] == [180, 1.5 * HOUR, 420]


def test_elsewhere_more_is_kept_for_scoring() -> None:
    assert clock(platform=None).parts[0].total_s == HOUR


@pytest.mark.parametrize(
    ("deadline", "latest"),
    [
        # The hour from 2 to 3 is left out that night: 9.5 hours before 8:00 it is 21:30, not 22:30.
        ("2026-03-29 08:00 Europe/Berlin", "2026-03-28T21:30:00+01:00"),
        # And that hour comes twice in autumn.
        ("2026-10-25 08:00 Europe/Berlin", "2026-10-24T23:30:00+02:00"),
        ("2026-07-01 08:00 Europe/Berlin", "2026-06-30T22:30:00+02:00"),
        ("2026-07-01T08:00:00+09:00", "2026-06-30T22:30:00+09:00"),
        ("2026-07-01 08:00 Asia/Kolkata", "2026-06-30T22:30:00+05:30"),
    ],
)
def test_the_latest_start_is_in_the_zone_of_the_deadline(deadline: str, latest: str) -> None:
    limits = {"inference": "8h", "clock": {"queue": "30m", "queue_margin": "30m"}}
    found = clock(deadline=deadline, limits=limits, submission={"by": "notebook"})
    assert found.latest_start.isoformat() == latest
    total = timedelta(seconds=sum(part.total_s for part in found.parts))
    end = found.deadline.astimezone(UTC)
    assert end - found.latest_start.astimezone(UTC) == total == timedelta(hours=9.5)


def test_one_deadline_in_many_zones_is_one_moment() -> None:
    ends = ["2031-05-06T23:59:00Z", "2031-05-07 08:59 Asia/Tokyo", "2031-05-06T16:59:00-07:00"]
    now = datetime(2031, 5, 6, 12, tzinfo=UTC)
    assert {clock(deadline=end).left_s(now) for end in ends} == {11.5 * HOUR - 60}


def test_too_late_is_refused_with_the_reason_unless_anyway() -> None:
    found = clock()
    check_in_time(found, found.latest_start)
    late = found.latest_start + timedelta(minutes=5)
    with pytest.raises(BudgetError, match=r"23:29 UTC, 5 min 00 s ago") as error:
        check_in_time(found, late)
    assert "--anyway" in error.value.remedy
    assert "scoring 5 min 00 s + 25 min 00 s margin" in str(error.value)
    check_in_time(found, late, anyway=True)


def test_the_line_says_what_is_left_and_what_it_rests_on() -> None:
    found = clock()
    assert latest_words(found) == "2031-05-06 23:29 UTC (scoring 5 min 00 s + 25 min 00 s margin)"
    for before, words in (
        (timedelta(days=3, hours=2), "in 3 d 2 h"),
        (timedelta(minutes=90), "in 1 h 30 min"),
        (-timedelta(minutes=10), "10 min 00 s ago"),
    ):
        assert clock_line(found, found.latest_start - before).endswith(words)
    over = found.deadline + timedelta(seconds=1)
    assert clock_line(found, over) == "deadline 2031-05-06 23:59 UTC is over"


@settings(max_examples=200, deadline=None)
@given(
    left_h=st.floats(-5, 40),
    slowdown=st.floats(1, 4),
    limit_h=st.none() | st.integers(1, 12),
)
def test_the_longest_run_is_just_in_time_and_a_longer_one_is_not(
    left_h: float, slowdown: float, limit_h: int | None
) -> None:
    limits = {
        "inference": None if limit_h is None else f"{limit_h}h",
        "clock": {"run_slowdown": slowdown},
    }
    asked = competition(submission={"by": "notebook"}, limits=limits)
    end = asked.deadline
    assert end is not None
    now = end - timedelta(hours=left_h)
    run_s = longest_run_s(asked, now)
    assert run_s is not None
    assert run_s >= 0
    found = deadline_clock(asked, run_s=run_s)
    assert found is not None
    if run_s > 0:
        assert found.left_s(now) > -1e-3
    longer = deadline_clock(asked, run_s=run_s + 60)
    assert longer is not None
    cap = (limit_h or 9) * HOUR
    assert longer.left_s(now) < 0 or run_s + 60 > cap or longer.parts[1].total_s == cap
