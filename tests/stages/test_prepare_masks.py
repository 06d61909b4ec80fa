"""Preparing masks: read once, kept as runs, read again when a cell changes, refused by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.config.writing import write_yaml
from foldwise.data.folds_file import read_folds
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.masks.of_samples import read_masks
from foldwise.stages.audit import audit
from foldwise.stages.prepare import prepare
from foldwise.stages.split import split
from foldwise.tasks.asked import load_competition
from foldwise.tasks.problem import open_problem
from tests.stages.small_competition import QUIET

NUM = 12
SIZES = [(8 + number % 3, 10) for number in range(NUM)]


def write_rows(home: Home, *, wrong: str = "") -> None:
    """A row for each image and class; every third image shows nothing, the first has two holes."""
    rows = ["image,kind,rle"]
    for number in range(NUM):
        first, second = ("3 2", "21 4") if number % 3 else ("", "")
        rows += [f"i{number:02d}.png,1,{first}", f"i{number:02d}.png,2,{second}"]
    rows.append(f"i01.png,1,{wrong or '9 1'}")
    (home.path.parent / "raw" / "train.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    raw = tmp_path / "raw"
    raw.mkdir()
    rng = np.random.default_rng(0)
    for number, size in enumerate(SIZES):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(raw / f"i{number:02d}.png")
    made = Home(tmp_path / "home")
    made.path.mkdir()
    values = {
        "name": "small",
        "data": "../raw",
        "tables": {"train": "train.csv"},
        "images": {"kind": "path", "column": "image"},
        "columns": {"id": "image"},
        "masks": {
            "kind": "runs",
            "column": "rle",
            "class_column": "kind",
            "values": {"1": "hole", "2": "crack"},
        },
        "task": "segmentation",
        "classes": ["hole", "crack"],
        "metric": "mean_dice",
    }
    write_yaml(made.competition, from_values(values, Competition, source="test"))
    write_yaml(made.plan, Plan(recipes={"a": {}}, folds={"count": 2}))
    write_rows(made)
    return made


def test_masks_of_several_rows_are_kept_by_sample(home: Home) -> None:
    prepare(home, inputs=[], display=QUIET)
    names, masks = read_masks(home.masks)
    assert names.tolist() == [f"i{number:02d}.png" for number in range(NUM)]
    assert masks.sizes.tolist() == [list(size) for size in SIZES]
    wanted = [[2 + (number == 1), 4] if number % 3 else [0, 0] for number in range(NUM)]
    assert masks.areas.tolist() == wanted
    problem = open_problem(home)
    assert len(problem.train) == len(problem.target) == NUM
    assert problem.one_hot.sum(axis=0).tolist() == [8, 8]


def test_masks_are_read_again_when_a_cell_changes(home: Home) -> None:
    prepare(home, inputs=[], display=QUIET)
    before = home.masks.stat().st_mtime_ns
    prepare(home, inputs=[], display=QUIET)
    assert home.masks.stat().st_mtime_ns == before
    write_rows(home, wrong="9 2")
    prepare(home, inputs=[], display=QUIET)
    assert read_masks(home.masks)[1].areas[1].tolist() == [4, 4]


def test_a_wrong_mask_is_named_by_its_row_and_nothing_is_kept(home: Home) -> None:
    write_rows(home, wrong="89 3")
    with pytest.raises(DataError, match=r"train.csv:26"):
        prepare(home, inputs=[], display=QUIET)
    assert not home.masks.exists()
    write_rows(home)
    prepare(home, inputs=[], display=QUIET)
    assert home.masks.exists()


def test_folds_are_stratified_by_what_images_show(home: Home) -> None:
    prepare(home, inputs=[], display=QUIET)
    found = audit(home, display=QUIET)
    assert {row["label"]: row["count"] for row in found["classes"]} == {"hole": 8, "crack": 8}
    assert split(home, display=QUIET).scheme == "multilabel_stratified"
    folds = read_folds(home.folds)
    shown = [folds[f"i{number:02d}.png"] for number in range(NUM) if number % 3]
    assert sorted(np.bincount(shown).tolist()) == [4, 4]
    assert read_json(home.audit)["num_train"] == NUM


def test_masks_and_the_task_go_together(home: Home) -> None:
    text = home.competition.read_text()
    home.competition.write_text(text.replace("task: segmentation", "task: multilabel"))
    with pytest.raises(ConfigError, match="task multilabel asks for none"):
        load_competition(home)
    lines = text.splitlines()
    start = lines.index("masks:")
    end = next(n for n in range(start + 1, len(lines)) if not lines[n].startswith(" "))
    without = "\n".join([*lines[:start], *lines[end:]]) + "\n"
    home.competition.write_text(without.replace("target: []", "target: [kind]"))
    with pytest.raises(ConfigError, match="needs to know where they are"):
        load_competition(home)
