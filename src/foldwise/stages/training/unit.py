"""A unit: recipe × fold × seed, its rows, its folder and what it is made from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.rundir import RunDir, UnitDir, read_json
from foldwise.tasks.problem import Problem

#: Raised whenever the same inputs would give another unit than before.
_VERSION = 1


@dataclass(frozen=True)
class Unit:
    """One piece of work and everything it is made from.

    Attributes:
        problem: competition, samples, folds.
        recipe: resolved.
        run: the run it belongs to.
        fold: the held-out fold; None: all rows are trained on.
        seed: of all its random draws.
        epochs: the schedule is shortened to this many; None: as the recipe says.
    """

    problem: Problem
    recipe: Recipe
    run: RunDir
    fold: int | None
    seed: int
    epochs: int | None = None

    @property
    def folder(self) -> UnitDir:
        """Where it writes."""
        return self.run.unit(self.fold, self.seed)

    @property
    def name(self) -> str:
        """Such as `b/fold0-seed0`."""
        return f"{self.run.name}/{self.folder.name}"

    @cached_property
    def train_rows(self) -> np.ndarray:
        """Positions of the train rows it learns from."""
        if self.fold is None:
            return np.arange(len(self.problem.train))
        left_out = self.problem.gap_rows(self.fold)
        return np.flatnonzero((self.problem.folds != self.fold) & ~left_out)

    @cached_property
    def valid_rows(self) -> np.ndarray:
        """Positions of the held-out train rows."""
        if self.fold is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.problem.folds == self.fold)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Hashes of what it is made from; another value means that it must be trained again."""
        return {
            "version": _VERSION,
            "recipe": fingerprint(identity(self.recipe)),
            "seed": self.seed,
            "fold": self.fold,
            "epochs": self.epochs,
            "train": self._rows_hash(self.train_rows),
            "valid": self._rows_hash(self.valid_rows),
            "test": _hash([*self.problem.test.ids, *self.problem.test.hashes]),
            "code": code_hash(self.problem),
        }

    def is_done(self) -> bool:
        """Whether its results are there and were made from these inputs."""
        record = read_json(self.folder.record)
        return record is not None and record["inputs"] == self.inputs

    def is_pending(self) -> bool:
        """Whether it is trained and waits for its epoch to be chosen."""
        record = read_json(self.folder.pending)
        return not self.is_done() and record is not None and record["inputs"] == self.inputs

    def _rows_hash(self, rows: np.ndarray) -> str:
        train = self.problem.train
        target = self.problem.target[rows]
        return _hash([*train.ids[rows], *train.hashes[rows], target.tobytes().hex()])


def identity(recipe: Recipe) -> dict[str, Any]:
    """The recipe without the keys that do not change what a unit gives."""
    values: dict[str, Any] = recipe.model_dump(mode="json")
    for key in ("folds", "refit"):
        del values[key]
    for key in ("workers", "limit", "checkpoint_every"):
        del values["train"][key]
    return values


def data_hash(problem: Problem) -> str:
    """Hash of all samples, their images and targets."""
    train, test = problem.train, problem.test
    target = problem.target.tobytes().hex()
    return _hash([*train.ids, *train.hashes, target, *test.ids, *test.hashes])


def code_hash(problem: Problem) -> str:
    """Hash of the user's own code."""
    files = sorted(problem.home.code.glob("**/*.py"))
    return _hash([part for file in files for part in (file.name, file.read_text("utf-8"))])


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]
