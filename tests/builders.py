"""Small synthetic competitions for tests: images whose class a small network can see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from foldwise.config.writing import write_yaml
from foldwise.home import Home

SMALL = {
    "model": {"name": "small_cnn"},
    "input": {"size": 16, "zoom": 1.25},
    "augment": ["crop", {"name": "jitter", "brightness": 0.1}],
    "train": {"epochs": 2, "batch": 8, "lr": 3e-3, "workers": 0},
}


def write_images(folder: Path, values: np.ndarray, *, seed: int = 0, side: int = 20) -> list[str]:
    """PNG files that are brighter towards the right the higher the value in [0, 1]."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    names = []
    for index, value in enumerate(values):
        ramp = np.linspace(0, 1, side)[None, :, None] * value * 200
        noise = rng.normal(0, 12, (side, side, 3))
        pixels = np.clip(30 + ramp + noise, 0, 255).astype(np.uint8)
        names.append(f"{index:03d}.png")
        Image.fromarray(pixels).save(folder / names[-1])
    return names


def make_home(
    folder: Path,
    *,
    task: str = "multiclass",
    num_train: int = 32,
    num_test: int = 10,
    num_classes: int = 3,
    recipes: dict[str, dict[str, Any]] | None = None,
    plan: dict[str, Any] | None = None,
    competition: dict[str, Any] | None = None,
    seed: int = 0,
) -> Home:
    """A competition folder with raw data, its three kinds of config file, nothing run yet."""
    raw = folder / "raw"
    rng = np.random.default_rng(seed)
    grades = np.arange(num_train + num_test) % num_classes
    values = (grades + rng.uniform(-0.2, 0.2, len(grades))) / (num_classes - 1)
    names = write_images(raw / "images", values, seed=seed)
    table = pd.DataFrame({"id": [name[:-4] for name in names], "path": names})
    columns, answers, classes, metric = _labels(task, grades, values, num_classes)
    train = pd.concat([table, pd.DataFrame(columns)], axis=1)[:num_train]
    train.to_csv(raw / "train.csv", index=False)
    table[num_train:].to_csv(raw / "test.csv", index=False)
    sample = table[["id"]][num_train:].assign(**answers)
    sample.to_csv(raw / "sample_submission.csv", index=False)
    home = Home(folder / "comp")
    write_yaml(
        home.competition,
        {
            "name": f"synthetic {task}",
            "data": "../raw",
            "tables": {
                "train": "train.csv",
                "test": "test.csv",
                "sample_submission": "sample_submission.csv",
            },
            "images": {
                "kind": "path",
                "column": "path",
                "train": "images",
                "test": "images",
            },
            "columns": {"id": "id", "target": list(columns)},
            "task": task,
            "classes": classes,
            "metric": metric,
            "submission": {"gives": "scores" if task == "multilabel" else "answers"},
            **(competition or {}),
        },
    )
    for name, recipe in (recipes or {"a": SMALL}).items():
        write_yaml(home.recipe(name), recipe)
    write_yaml(
        home.plan,
        {
            "recipes": {name: {} for name in recipes or {"a": SMALL}},
            "folds": {"count": 3},
            **(plan or {}),
        },
    )
    return home


def _labels(
    task: str, grades: np.ndarray, values: np.ndarray, num_classes: int
) -> tuple[dict[str, list[str]], dict[str, str], list[str], str]:
    if task == "regression":
        return {"value": [f"{v:.4f}" for v in values]}, {"value": "0"}, [], "rmse"
    if task == "multilabel":
        flags = {f"above{k}": [str(int(g > k)) for g in grades] for k in range(num_classes - 1)}
        return flags, dict.fromkeys(flags, "0.5"), list(flags), "mean_average_precision"
    classes = [str(k) for k in range(num_classes)]
    metric = "qwk" if task == "ordinal" else "accuracy"
    return {"label": [str(g) for g in grades]}, {"label": "0"}, classes, metric
