"""Small competitions on disk, written by the real writers: samples, folds, runs, no images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.data.cache_writing import write_blocks
from foldwise.data.folds_file import write_folds
from foldwise.data.spec import THUMB
from foldwise.home import Home
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem, open_problem

QUIET = Display(console=Console(quiet=True), quiet=True)

_TASKS: dict[str, dict[str, Any]] = {
    "multiclass": {"classes": ["ape", "bear", "cow"], "target": ["label"], "metric": "accuracy"},
    "ordinal": {"classes": ["0", "1", "2", "3", "4"], "target": ["grade"], "metric": "qwk"},
    "multilabel": {
        "classes": ["car", "sign", "tree"],
        "target": ["car", "sign", "tree"],
        "metric": "mean_average_precision",
    },
    "regression": {"classes": [], "target": ["age"], "metric": "rmse"},
}


def make_problem(
    folder: Path,
    task: str = "multiclass",
    *,
    num_train: int = 120,
    num_test: int = 30,
    num_folds: int = 3,
    thumbs: bool = True,
    group_size: int = 0,
    **changes: Any,
) -> Problem:
    """A prepared competition with folds; `changes` go into competition.yaml."""
    facts = _TASKS[task]
    rng = np.random.default_rng(7)
    labels = _labels(task, facts, num_train, rng)
    home = Home(folder)
    values = {
        "name": "small",
        "data": "data",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "images": {"kind": "path", "column": "path"},
        "columns": {"id": "id", "target": facts["target"]},
        "task": task,
        "classes": facts["classes"],
        "metric": facts["metric"],
    }
    if group_size:
        values["columns"]["group"] = ["track"]
    for key, value in changes.items():
        base = values.get(key)
        values[key] = {**base, **value} if isinstance(base, dict) else value
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(home.competition, from_values(values, Competition, source="test"))
    write_yaml(home.plan, Plan(recipes={"a": {}, "b": {}}))
    frame = _frame(labels, num_train, num_test, group_size)
    samples_file.write(home.samples, Samples(frame))
    train = frame[frame["split"] == "train"]
    number = np.arange(num_train) // max(group_size, 1)
    write_folds(home.folds, train["id"], number % num_folds)
    if group_size:
        write_csv(home.groups, pd.DataFrame({"id": train["id"], "group": number.astype(str)}))
    if thumbs:
        images = rng.integers(0, 256, (len(frame), 32, 32, 3)).astype(np.uint8)
        write_blocks(home.cache, THUMB, zip(frame["sha256"], images, strict=True))
    return open_problem(home)


def write_run(
    problem: Problem,
    name: str,
    *,
    noise: float = 0.5,
    seed: int = 0,
    folds: tuple[int, ...] | None = None,
    kind: str = "recipe",
    **recipe: Any,
) -> RunDir:
    """A run whose scores are the truth plus noise; `recipe` changes its resolved recipe."""
    rng = np.random.default_rng(seed)
    run = RunDir(problem.home.runs / name)
    rows = np.arange(len(problem.train))
    if folds is not None:
        rows = np.flatnonzero(np.isin(problem.folds, folds))
    oof = noisy(problem, problem.one_hot, noise, rng)[rows]
    shuffled = problem.one_hot[rng.integers(0, len(problem.train), len(problem.test))]
    test = noisy(problem, shuffled, noise, rng)
    return write_scores(
        problem, run, problem.train.ids[rows], oof, problem.folds[rows], test, kind, recipe
    )


def write_scores(
    problem: Problem,
    run: RunDir,
    ids: np.ndarray,
    oof: np.ndarray,
    folds: np.ndarray,
    test: np.ndarray,
    kind: str = "recipe",
    recipe: dict[str, Any] | None = None,
) -> RunDir:
    """A run with these scores."""
    predictions_file.write(run.oof, Predictions(ids, oof, problem.columns, folds=folds))
    predictions_file.write(run.test, Predictions(problem.test.ids, test, problem.columns))
    resolved = from_values(
        {"model": {"name": "small_cnn"}, **(recipe or {})}, Recipe, source="test"
    ).model_dump(mode="json")
    record = {"kind": kind, "recipe": resolved, "seeds": [0], "epochs": None, "commit": "abc"}
    publish_json(run.record, record)
    return run


def noisy(
    problem: Problem, perfect: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Perfect scores with noise, still on the common scale."""
    scores = perfect + noise * rng.normal(size=perfect.shape)
    if not problem.task.has_classes:
        return scores
    if scores.shape[1] == 1:
        return np.clip(scores, 0, problem.num_classes - 1)
    scores = np.clip(scores, 0.01, None)
    if problem.task.one_of_classes:
        return scores / scores.sum(axis=1, keepdims=True)
    return np.clip(scores, 0, 1)


def _labels(
    task: str, facts: dict[str, Any], num: int, rng: np.random.Generator
) -> dict[str, list[str]]:
    classes, targets = facts["classes"], facts["target"]
    if task == "regression":
        return {"age": [f"{value:.3f}" for value in rng.normal(40, 10, num)]}
    if len(targets) > 1:
        return {name: [str(v) for v in rng.integers(0, 2, num)] for name in targets}
    return {targets[0]: [classes[i] for i in rng.integers(0, len(classes), num)]}


def _frame(
    labels: dict[str, list[str]], num_train: int, num_test: int, group_size: int
) -> pd.DataFrame:
    num = num_train + num_test
    frame = pd.DataFrame(
        {
            "id": [f"t{i:04d}" for i in range(num_train)] + [f"x{i:04d}" for i in range(num_test)],
            "split": ["train"] * num_train + ["test"] * num_test,
            "table": ["train.csv"] * num_train + ["test.csv"] * num_test,
            "line": [*range(2, num_train + 2), *range(2, num_test + 2)],
            "file": [f"{i}.png" for i in range(num)],
            "sha256": [f"{i:064x}" for i in range(num)],
            "phash": np.arange(num, dtype=np.uint64),
            "damaged": "",
        }
    )
    for column, cells in labels.items():
        frame[f"cell:{column}"] = cells + [""] * num_test
    if group_size:
        tracks = [f"track{i // group_size}" for i in range(num_train)]
        frame["cell:track"] = tracks + [""] * num_test
    return frame
