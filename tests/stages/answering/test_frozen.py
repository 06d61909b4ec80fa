"""Frozen heads and references answer from a pack without the weights they once started from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.stages.answer import answer
from foldwise.stages.run import run
from foldwise.stages.submit import submit
from tests.builders import SMALL, make_home
from tests.stages.answering.trained import mounted, pack
from tests.stages.mounted_notebooks import QUIET
from tests.stages.second_level_homes import frozen
from tests.stages.small_units import pretrained


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("frozen")
    tuned = {**SMALL, "model": {"name": "small_cnn", "pretrained": pretrained(folder / "weights")}}
    recipes = {"f": frozen(folder / "weights"), "t": tuned}
    plan = {
        "folds": {"count": 2},
        "blends": {"mix": {"members": ["f", "t", "t/reference"]}},
        "submit": "mix",
    }
    found = make_home(folder, recipes=recipes, num_train=48, num_test=12, plan=plan)
    run(found, display=QUIET)
    return found


@pytest.mark.parametrize("name", ["f", "t/reference", "mix"])
def test_the_answer_is_the_runs_own(home: Home, tmp_path: Path, name: str) -> None:
    own = submit(home, name, display=QUIET).entry.file.read_bytes()
    folder = pack(home, name)
    source = mounted(home, tmp_path)
    weights = home.path.parent / "weights"
    weights.rename(weights.with_name("gone"))
    try:
        found = answer(
            folder, source=source, output=tmp_path / "out", work=tmp_path / "work", display=QUIET
        )
    finally:
        weights.with_name("gone").rename(weights)
    assert found.is_whole, found.notes
    assert (tmp_path / "out" / "submission.csv").read_bytes() == own


def test_a_reference_whose_start_is_gone_is_refused_when_it_is_packed(home: Home) -> None:
    weights = home.path.parent / "weights"
    weights.rename(weights.with_name("gone"))
    shutil.rmtree(home.cache / "weights", ignore_errors=True)
    try:
        assert pack(home, "f").is_dir()
        with pytest.raises(RunError, match="t/reference cannot be packed"):
            pack(home, "t/reference")
    finally:
        weights.with_name("gone").rename(weights)
