"""Packs in the report: what they hold, and the picture of score against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.stages.packing.making import PACK_FILE
from foldwise.stages.reporting.packs_view import frontier_chart, packs_view


def option(members: str, score: float | None, seconds: float, **facts: bool) -> dict[str, Any]:
    usual = {"is_best": False, "is_chosen": False}
    return {"members": members, "score": score, "seconds": seconds, **usual, **facts}


OPTIONS = [
    option("a", 0.7, 600.0, is_best=True),
    option("b", 0.65, 1200.0),
    option("a, b", 0.75, 1800.0, is_best=True, is_chosen=True),
]


def test_a_pack_says_what_it_holds_and_whether_it_was_proved(tmp_path: Path) -> None:
    home = Home(tmp_path)
    facts = {
        "kind": "answer",
        "name": "answer",
        "run": "mix",
        "platform": "kaggle",
        "limit": "1h",
        "seconds": 1800.0,
        "rounds": [{}, {}],
        "options": OPTIONS,
        "notes": ["left out: c"],
    }
    publish_json(home.packs / "answer" / PACK_FILE, facts)
    publish_json(home.packs / "night" / PACK_FILE, {"kind": "train"})
    (found,) = packs_view(home, "accuracy")
    assert found["members"] == "a, b"
    assert found["proof"] is None
    assert found["time"] == "30 min 00 s of 1 h 00 min"
    publish_json(home.packs / "answer" / "proof.json", {"holds": False})
    (found,) = packs_view(home, "accuracy")
    assert found["proof"] is False


def test_every_option_is_a_point_and_the_chosen_one_is_named() -> None:
    chart = frontier_chart(OPTIONS, 3600.0, "accuracy")
    assert chart is not None
    assert chart.count("<circle") == 3
    assert chart.count("point b") == 1
    assert "chosen" in chart
    assert "limit" in chart
    assert "minutes" in chart
    assert frontier_chart(OPTIONS, 36_000.0, "accuracy").count("limit") == 0
    assert frontier_chart(OPTIONS[:1], 3600.0, "accuracy") is None
