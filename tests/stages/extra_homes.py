"""Small competitions with external data and teachers, of which nothing was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values, load
from foldwise.config.reading import shown
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.data.cache_writing import write_blocks
from foldwise.data.spec import THUMB
from foldwise.home import Home
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.samples import Samples
from foldwise.stages.predict import predict
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem
from tests.builders import write_images
from tests.stages.small_competition import make_problem, noisy

NET: dict[str, Any] = {"model": {"name": "small_cnn"}}
MORE: dict[str, Any] = {"data": "more", "table": "more.csv"}


def with_external(folder: Path, num: int = 12, **changes: Any) -> Problem:
    """A prepared problem with `num` external rows of the set `more`, none of them a copy."""
    problem = make_problem(folder, **changes)
    declare(problem.home, MORE)
    frame = problem.samples.frame.iloc[:num].copy()
    cells = {column: "" for column in frame.columns if str(column).startswith("cell:")}
    target = [f"cell:{name}" for name in problem.competition.columns.target]
    frame = frame.assign(
        id=[f"external/more/{n}" for n in range(num)],
        split="external",
        table="../more/more.csv",
        sha256=[f"{10_000 + n:064x}" for n in range(num)],
        phash=(np.arange(num) + 2**40).astype(np.uint64),
        **{name: value for name, value in cells.items() if name not in target},
    )
    samples_file.write(problem.home.external, Samples(frame))
    images = np.random.default_rng(3).integers(0, 256, (num, 32, 32, 3)).astype(np.uint8)
    write_blocks(problem.home.cache, THUMB, zip(frame["sha256"], images, strict=True))
    return open_problem(problem.home)


def edited(problem: Problem, file: str, rows: list[int], **cells: Any) -> Problem:
    """The problem with cells of `samples` or `external` replaced at some rows."""
    path = getattr(problem.home, file)
    frame = samples_file.read(path).frame.copy()
    for name, value in cells.items():
        column = name if name in frame.columns else f"cell:{name}"
        frame.loc[rows, column] = value
    samples_file.write(path, Samples(frame))
    return open_problem(problem.home)


def make_teacher(
    problem: Problem,
    name: str = "t",
    *,
    seeds: tuple[int, ...] = (0,),
    seed: int = 0,
    **recipe: Any,
) -> list[Unit]:
    """A run whose units have scores that nobody trained, merged."""
    units = make_units(problem, name, seeds=seeds, **recipe)
    for place, unit in enumerate(units):
        score(unit, seed=100 * seed + place)
    predict(problem.home, name, problem=problem)
    return units


def make_units(
    problem: Problem, name: str, *, seeds: tuple[int, ...] = (0,), **recipe: Any
) -> list[Unit]:
    """The units of a recipe whose run is recorded."""
    resolved = Recipe.model_validate({**NET, **recipe})
    units = units_of(problem, resolved, problem.home.new_run(name), seeds=seeds)
    record_run(units[0], seeds)
    return units


def score(unit: Unit, *, seed: int) -> None:
    """Say that a unit is done, with scores near the truth for its fold and drawn ones for test."""
    problem, rng = unit.problem, np.random.default_rng(seed)
    if unit.fold is not None:
        held = unit.valid_rows
        scores = noisy(problem, problem.one_hot, 0.6, rng)[held]
        folds = problem.folds[held]
        found = Predictions(problem.train.ids[held], scores, problem.columns, folds=folds)
        predictions_file.write(unit.folder.valid, found)
    drawn = problem.one_hot[rng.integers(0, len(problem.train), len(problem.test))]
    write_test(unit, noisy(problem, drawn, 0.6, rng))
    record = {"inputs": unit.inputs, "test": unit.test_print, "weights_sha256": f"{seed}"}
    publish_json(unit.folder.record, {**record, "pretrained_sha256": None})


def write_test(unit: Unit, scores: np.ndarray) -> None:
    """Other test scores of a unit."""
    found = Predictions(unit.problem.test.ids, scores, unit.problem.columns)
    predictions_file.write(unit.folder.test, found)


def student(problem: Problem, fold: int | None = 0, seed: int = 0, **recipe: Any) -> Unit:
    """A unit of a recipe that nobody recorded."""
    resolved = Recipe.model_validate({**NET, **recipe})
    return Unit(problem, resolved, problem.home.new_run("student"), fold, seed)


def bits(unit: Unit) -> tuple[Any, ...]:
    """All that a unit learns from extra rows: ids, images, labels, weights."""
    extra = replace(unit).extra
    assert extra is not None
    soft = None if extra.soft is None else extra.soft.tobytes()
    ids, hashes = extra.samples.ids.tolist(), extra.samples.hashes.tolist()
    return ids, hashes, extra.target.tobytes(), soft, extra.weight.tobytes()


def write_more(home: Home, values: np.ndarray, kinds: list[str], **changes: Any) -> None:
    """Images and a table of external data beside a competition of `make_home`, declared there."""
    folder = home.path.parent / "more"
    names = write_images(folder / "pictures", values, seed=11)
    table = pd.DataFrame({"name": names, "kind": kinds, "junk": "x"})
    table.to_csv(folder / "more.csv", index=False)
    declared = {
        "data": "../more",
        "table": "more.csv",
        "images": {"kind": "path", "column": "name", "train": "pictures"},
        "columns": {"id": "name", "target": ["kind"]},
        **changes,
    }
    declare(home, declared)


def declare(home: Home, declared: dict[str, Any]) -> None:
    """Declare the external data `more` in a competition."""
    values = load(home.competition, Competition).model_dump(mode="json")
    values["external"] = {"more": declared}
    resolved = from_values(values, Competition, source="test")
    write_yaml(home.competition, resolved, overwrite=True)


def place_of(home: Home, key: str) -> str:
    """`competition.yaml:LINE` of a top-level key."""
    lines = home.competition.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.startswith(f"{key}:"))
    return f"{shown(home.competition)}:{line}"
