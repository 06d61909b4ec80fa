"""A competition on the stand-in for Kaggle, with a run to hand in and a pack to push."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.config.writing import dump, write_yaml
from foldwise.home import Home
from foldwise.platforms import kaggle_line
from foldwise.publish import publish_json, publish_text
from foldwise.stages.display import Display
from foldwise.stages.packing.notebooks import training_notebook
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from tests.platforms.stand_in import TOKEN, StandIn
from tests.platforms.stand_in import kaggle as kaggle
from tests.stages.small_competition import make_problem, write_run

SLUG = "retina-grades"


@dataclass
class Shown:
    """A display, and what it showed."""

    display: Display
    text: io.StringIO


@pytest.fixture(autouse=True)
def waits(kaggle: StandIn, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, without waiting."""
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)
    waited: list[float] = []
    monkeypatch.setattr(kaggle_line, "pause", waited.append)
    return waited


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With the runs a and b."""
    problem = make_problem(tmp_path / "comp", num_train=60, thumbs=False, platform=f"kaggle:{SLUG}")
    for name, seed in (("a", 1), ("b", 2)):
        write_run(problem, name, seed=seed)
    return problem.home


@pytest.fixture
def shown() -> Shown:
    text = io.StringIO()
    return Shown(Display(Console(file=text, width=300, highlight=False, soft_wrap=True)), text)


def change(home: Home, **changes: Any) -> None:
    """Change keys of competition.yaml."""
    values = dump(load(home.competition, Competition))
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    write_yaml(home.competition, values, overwrite=True)


def make_pack(home: Home, name: str = "night", **facts: Any) -> Path:
    """A pack by its form: files, folders and a notebook."""
    folder = home.packs / name
    known = {"kind": "train", "name": name, "foldwise": "0.1.0", "platform": "kaggle", **facts}
    publish_json(folder / "pack.json", known)
    notebook = training_notebook(name, NOTEBOOK_PLATFORMS["kaggle"], limit="9h", every="10m")
    file = "train.ipynb" if known["kind"] == "train" else "answer.ipynb"
    publish_text(folder / file, json.dumps(notebook))
    publish_text(folder / "install.py", "print(1)\n")
    publish_text(folder / "competition" / "plan.yaml", "recipes: {a: {}}\n")
    publish_text(folder / "wheels" / "foldwise-0.1.0-py3-none-any.whl", "wheel" * 500)
    return folder
