"""Small competitions with trained networks, and second-level recipes that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from foldwise.home import Home
from foldwise.stages.featuring.jobs import write_features
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe, network_inputs
from foldwise.stages.split import split
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.jobs import score_unit, train_unit
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home
from tests.stages.small_units import pretrained

ONE_EPOCH = {**SMALL, "train": {**SMALL["train"], "epochs": 1}}


def frozen(folder: Path) -> dict[str, Any]:
    """A recipe whose head is solved on features of a frozen backbone."""
    model = {"name": "small_cnn", "pretrained": pretrained(folder)}
    train = {"epochs": 0, "workers": 0}
    return {"model": model, "input": {"size": 16}, "freeze": "backbone", "train": train}


def ready(folder: Path, recipes: dict[str, dict[str, Any]], **changes: Any) -> Home:
    """A competition in two folds whose tables have columns, prepared and split.

    `age` is a number that says the class, with gaps; `site` is a category; `only` is in train.
    """
    home = make_home(folder, recipes=recipes, num_train=36, plan={"folds": {"count": 2}}, **changes)
    raw = folder / "raw"
    for name, first in (("train", 0), ("test", 36)):
        table = pd.read_csv(raw / f"{name}.csv", dtype=str)
        rows = range(first, first + len(table))
        table["age"] = [str(10 * (n % 3)) if n % 7 else "" for n in rows]
        table["site"] = ["north" if n % 2 else "south" for n in rows]
        if name == "train":
            table["only"] = "1"
        table.to_csv(raw / f"{name}.csv", index=False)
    prepare(home, inputs=network_inputs([load_recipe(home, name) for name in recipes]))
    split(home)
    return home


def units(home: Home, name: str, seeds: tuple[int, ...] = (0,)) -> list[Unit]:
    """The units of a recipe, whose run is recorded."""
    found = units_of(open_problem(home), load_recipe(home, name), home.new_run(name), seeds=seeds)
    record_run(found[0], seeds)
    return found


def train(home: Home, name: str, seeds: tuple[int, ...] = (0,)) -> list[Unit]:
    """Train them, after writing the features that they read."""
    found = units(home, name, seeds)
    for unit in found:
        for source in unit.sources:
            write(source)
        train_unit(*_arguments(unit))
    return [unit.again() for unit in found]


def write(unit: Unit) -> str:
    """Write a unit's features."""
    home, run, fold, seed, threads, _ = _arguments(unit)
    return write_features(home, run, fold, seed, threads, str(unit.run.path / "timing.jsonl"))


def rescore(unit: Unit) -> str:
    """Score the test rows there are now."""
    return score_unit(*_arguments(unit))


def _arguments(unit: Unit) -> tuple[str, str, int | None, int, int, None]:
    home = str(unit.problem.home.path)
    return home, str(unit.run.path), unit.fold, unit.seed, 1, None
