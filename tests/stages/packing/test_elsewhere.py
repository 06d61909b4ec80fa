"""Times of another machine are taken from what a pack has measured there."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.errors import ConfigError
from foldwise.publish import publish_json
from foldwise.stages.packing.costs import Measured, RunCosts
from foldwise.stages.packing.elsewhere import read_elsewhere

HERE = Measured(
    10.0,
    1000,
    {
        "a": RunCosts(unit_s=2.0, view_s=100.0, num_views=2.0, is_shared=False),
        "frozen": RunCosts(unit_s=1.0, view_s=50.0, num_views=1.0, is_shared=True),
        "new": RunCosts(unit_s=3.0, view_s=10.0, num_views=1.0, is_shared=False),
    },
)


def written(folder: Path, **changes: object) -> Path:
    """Of a machine that is four times slower, seen on a tenth of the images."""
    measured = {
        "machine": "kaggle: 1 x cpu",
        "num_images": 100,
        "start_s": 12.0,
        "units": {
            "a/fold0-seed0": 4 * 22.0,
            "a/fold1-seed0": 4 * 22.0,
            "frozen/fold0-seed0": 4 * 6.0,
            "frozen/fold1-seed0": 4 * 1.0,
        },
        "num_views": {"a": 2.0, "frozen": 1.0},
    }
    publish_json(folder / "answer.json", {"rounds": 2, "measured": {**measured, **changes}})
    return folder / "answer.json"


def test_runs_that_were_measured_and_others_are_brought_there(tmp_path: Path) -> None:
    found = read_elsewhere(written(tmp_path)).brought(HERE)
    for name, run in HERE.runs.items():
        assert found.runs[name].first(2.0) == pytest.approx(4 * run.first(2.0)), name
        assert found.runs[name].more(2.0) == pytest.approx(4 * run.more(2.0)), name
    assert found.start_s == 40.0
    assert found.num_images == 1000


def test_what_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run the pack there once"):
        read_elsewhere(written(tmp_path, units={}))
    publish_json(tmp_path / "other.json", [1])
    with pytest.raises(ConfigError, match=r"no answer\.json"):
        read_elsewhere(tmp_path / "other.json")
    foreign = read_elsewhere(written(tmp_path, num_views={"z": 1.0}, units={"z/fold0-seed0": 1.0}))
    with pytest.raises(ConfigError, match="nothing of this run"):
        foreign.brought(HERE)
