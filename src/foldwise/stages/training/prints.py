"""Hashes of what units are made from: recipes, rows, the user's code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.parts import name_of
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem

_WAYS_TO_TRAIN = ("workers", "limit", "checkpoint")


def input_columns(recipe: Recipe) -> list[str]:
    """Columns whose cells are fed beside the images or features."""
    return [name_of(spec) for spec in (*recipe.model.columns, *recipe.columns)]


def cells_of(samples: Samples, columns: Sequence[str]) -> list[str]:
    """The cells of the columns that there are; others are refused before anything trains."""
    known = set(samples.columns)
    return [cell for name in columns if name in known for cell in samples.cells(name)]


def identity(recipe: Recipe) -> dict[str, Any]:
    """The recipe without the keys that do not change what a unit gives."""
    return _without_ways(recipe.model_dump(mode="json"))


def recipe_print(recipe: Recipe) -> str:
    """Hash of what the recipe's identity says beyond the defaults.

    A key that a later version adds does not make finished units stale.
    """
    return fingerprint(_without_ways(recipe.model_dump(mode="json", exclude_defaults=True)))


def _without_ways(values: dict[str, Any]) -> dict[str, Any]:
    train = {k: v for k, v in values.get("train", {}).items() if k not in _WAYS_TO_TRAIN}
    rest = {k: v for k, v in values.items() if k not in ("train", "folds", "refit")}
    return {**rest, "train": train} if train else rest


def data_hash(problem: Problem) -> str:
    """Hash of all samples, their images and targets."""
    train, test = problem.train, problem.test
    target = problem.target.tobytes().hex()
    images = [part.image_hashes.ravel() for part in (train, test)]
    return hash_of([*train.ids, *images[0], target, *test.ids, *images[1]])


def code_hash(problem: Problem) -> str:
    """Hash of the user's own code."""
    files = sorted(problem.home.code.glob("**/*.py"))
    return hash_of([part for file in files for part in (file.name, file.read_text("utf-8"))])


def hash_of(parts: list[str]) -> str:
    """Sixteen digits that stand for the parts in this order."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]
