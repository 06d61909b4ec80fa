"""Second-level models answer from a pack: networks of their sources see the test rows there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foldwise.home import Home
from foldwise.stages.answer import answer
from foldwise.stages.run import run
from foldwise.stages.submit import submit
from tests.builders import SMALL, make_home
from tests.stages.answering.trained import mounted, pack
from tests.stages.mounted_notebooks import QUIET
from tests.stages.second_level_homes import frozen


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("heads")
    recipes = {
        "a": SMALL,
        "f": frozen(folder / "weights"),
        "h": {"head": "logistic", "features": ["a", "f"]},
        "r": {"head": "knn", "features": ["a"]},
    }
    plan = {"folds": {"count": 2}, "blends": {"mix": {"members": ["h", "r"]}}, "submit": "mix"}
    found = make_home(folder, recipes=recipes, num_train=48, num_test=12, plan=plan)
    run(found, display=QUIET)
    return found


@pytest.mark.parametrize("name", ["h", "mix"])
def test_its_answer_is_the_runs_own_and_only_heads_are_units(
    home: Home, tmp_path: Path, name: str
) -> None:
    own = submit(home, name, display=QUIET).entry.file.read_bytes()
    folder = pack(home, name)
    weights = home.path.parent / "weights"
    weights.rename(weights.with_name("gone"))  # Another machine has no such folder.
    found = answer(
        folder,
        source=mounted(home, tmp_path),
        output=tmp_path / "out",
        work=tmp_path / "work",
        display=QUIET,
    )
    weights.with_name("gone").rename(weights)
    assert found.is_whole
    assert {unit[0] for unit in found.units} == ({"h"} if name == "h" else {"h", "r"})
    assert (tmp_path / "out" / "submission.csv").read_bytes() == own
    assert (folder / "runs" / "a" / "units" / "fold0-seed0" / "weights.safetensors").exists()
    assert json.loads((tmp_path / "out" / "answer.json").read_text())["notes"] == []
