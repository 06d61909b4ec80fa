"""Moments with the name of their zone."""

from __future__ import annotations

from datetime import datetime

import pytest

from foldwise.config.clock import in_zone
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.writing import dump
from foldwise.errors import ConfigError

VALUES = {
    "name": "small",
    "data": "data",
    "tables": {"train": "train.csv"},
    "images": {"column": "path"},
    "columns": {"id": "id", "target": ["label"]},
    "task": "multiclass",
    "classes": ["a", "b"],
    "metric": "accuracy",
}


def asked(**changes: object) -> Competition:
    return from_values({**VALUES, **changes}, Competition, source="competition.yaml")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31 23:59 Europe/Berlin", "2026-01-31T23:59:00+01:00"),
        ("2026-07-31T23:59:30 Europe/Berlin", "2026-07-31T23:59:30+02:00"),
        ("2026-07-31 23:59 UTC", "2026-07-31T23:59:00+00:00"),
        ("2026-03-31 23:59 Asia/Tokyo", "2026-03-31T23:59:00+09:00"),
        ("2026-03-31T23:59:00+09:00", "2026-03-31T23:59:00+09:00"),
    ],
)
def test_a_zone_has_its_offset_of_that_day(text: str, moment: str) -> None:
    found = asked(deadline=text)
    assert found.deadline == datetime.fromisoformat(moment)
    assert asked(**dump(found)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-29 02:30 Europe/Berlin", "twice or never"),
        ("2026-10-25 02:30 Europe/Berlin", "twice or never"),
        ("2026-03-29 02:30 Europe/Atlantis", "no time zone 'Europe/Atlantis'"),
        ("2026-03-29 02:30 ../../etc/passwd", "wanted a date"),
        ("2026-03-29 02:30", "wanted a date with time and time zone"),
        ("2026-02-30 02:30 UTC", "day"),
    ],
)
def test_other_moments_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        asked(deadline=text)


def test_what_is_no_text_is_left_alone() -> None:
    moment = datetime(2026, 1, 1)
    assert in_zone(moment) is moment
    assert in_zone(None) is None


@pytest.mark.parametrize("platform", ["digit-recognizer", "kaggle:", "kaggle:A b", "colab:x"])
def test_a_platform_is_named_with_its_competition(platform: str) -> None:
    with pytest.raises(ConfigError, match="wanted kaggle:NAME"):
        asked(platform=platform)
    assert asked(platform="kaggle:digit-recognizer").platform == "kaggle:digit-recognizer"
