"""A small competition with two trained runs and their blend, to be packed and answered with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from foldwise.home import Home
from foldwise.stages.pack import pack_answer
from foldwise.stages.run import run
from tests.builders import SMALL, make_home
from tests.stages.mounted_notebooks import QUIET

#: Two networks, three folds each, and their mean.
RECIPES: dict[str, Any] = {
    "a": {**SMALL, "train": {**SMALL["train"], "epochs": 8, "lr": 0.01}},
    "b": {**SMALL, "input": {"size": 20, "zoom": 1.0}, "train": {**SMALL["train"], "epochs": 8}},
}


def make_trained(folder: Path, **changes: Any) -> Home:
    """Trained, blended as `mix` and handed in."""
    plan = {"blends": {"mix": {"members": ["a", "b"]}}, "submit": "mix"}
    home = make_home(folder, recipes=RECIPES, num_train=48, num_test=12, plan=plan, **changes)
    run(home, display=QUIET)
    return home


def pack(home: Home, name: str = "mix", **options: Any) -> Path:
    """An answer's pack of a run."""
    found = pack_answer(home, name, **{"on": "kaggle", "limit": "10m", "display": QUIET, **options})
    assert found is not None
    return found


def mounted(home: Home, folder: Path) -> Path:
    """The competition's data in a folder as a platform mounts them."""
    target = folder / "input" / "the-data"
    shutil.copytree(home.path.parent / "raw", target)
    return folder / "input"
