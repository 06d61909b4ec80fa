"""Where time is short a run answers by its first view alone, if that was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.home import Home
from foldwise.stages.answer import answer
from foldwise.stages.run import run
from foldwise.stages.views import views
from tests.builders import SMALL, make_home
from tests.stages.answering.trained import mounted, pack
from tests.stages.mounted_notebooks import QUIET

MANY = {"num_images": 200_000}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    recipe = {**SMALL, "augment": ["crop", "hflip"], "views": ["identity", "hflip"]}
    plan = {"folds": {"count": 2}}
    found = make_home(
        tmp_path_factory.mktemp("views"),
        recipes={"a": recipe},
        num_train=48,
        num_test=12,
        plan=plan,
    )
    run(found, display=QUIET)
    return found


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "pack.json").read_text())
    return found


def test_one_view_is_planned_once_it_is_measured_and_only_where_time_is_short(
    home: Home, tmp_path: Path
) -> None:
    whole = facts(pack(home, "a", limit="40h", **MANY))
    assert whole["views"] == {}
    # Between one unit by both views and two units by one.
    short = f"{1.25 * 0.8 * whole['seconds']:.0f}s"
    before = facts(pack(home, "a", limit=short, **MANY))
    assert before["views"] == {}
    assert any("`foldwise views a` measures it" in note for note in before["notes"])
    views(home, "a", display=QUIET)
    folder = pack(home, "a", limit=short, **MANY)
    after = facts(folder)
    assert after["views"] == {"a": ["identity"]}
    assert len(after["rounds"]) == len(whole["rounds"])
    assert [option["members"] for option in after["options"] if option["is_chosen"]] == [
        "a, one view"
    ]
    found = answer(
        folder,
        source=mounted(home, tmp_path),
        output=tmp_path / "out",
        work=tmp_path / "work",
        display=QUIET,
    )
    assert found.is_whole
    assert found.measured["num_views"] == {"a": 1.0}
    unit = Path("runs/a/units/fold0-seed0/test.parquet")
    there = predictions_file.read(tmp_path / "work" / "competition" / unit)
    ours = predictions_file.read(home.path / unit).align(there.ids, name="ours")
    assert np.abs(there.scores - ours.scores).max() > 1e-6
