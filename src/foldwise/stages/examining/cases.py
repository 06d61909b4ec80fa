"""What the rules look at: the competition's ground, one recipe on it, the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from foldwise.config.competition import Competition
from foldwise.config.plan import FoldsConfig, Plan
from foldwise.config.recipe import Recipe
from foldwise.config.training import StageConfig
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.recipes import Places
from foldwise.tables import Table
from foldwise.tasks.presence import PRESENCE, PRESENCE_TASK, asks_presence
from foldwise.tasks.task import Task


@dataclass(frozen=True)
class Ground:
    """The competition as far as it can be read; what could not be is None.

    Attributes:
        home: the competition's folder.
        competition: what is asked.
        task: which kind of question.
        tables: `train`, `test`, `sample_submission` → table, those that are files.
        train: train rows with their cells.
        target: (N,) or (N, C), of the train rows; of masks which classes are in each.
        folds: (N,) int64, of the train rows, if `split` has run.
        side_px: median shorter side of the images, if `prepare` has run.
        plan: the plan.
    """

    home: Home
    competition: Competition
    task: Task
    tables: Mapping[str, Table]
    train: Samples | None = None
    target: np.ndarray | None = None
    folds: np.ndarray | None = None
    side_px: float | None = None
    plan: Plan | None = None

    def asked_by(self, recipe: Recipe) -> Ground:
        """As a recipe is asked: the competition's question, or which classes its masks show."""
        if recipe.target != PRESENCE or self.task.kind != "map":
            return self
        return replace(self, competition=asks_presence(self.competition), task=PRESENCE_TASK)

    @property
    def folds_config(self) -> FoldsConfig:
        """How the plan makes folds."""
        return self.plan.folds if self.plan is not None else FoldsConfig()

    @property
    def num_folds(self) -> int:
        """Folds that are there or wanted."""
        return self.folds_config.count if self.folds is None else len(set(self.folds.tolist()))

    @property
    def num_training_rows(self) -> int | None:
        """Rows that the smallest training fold holds."""
        if self.train is None:
            return None
        if self.folds is not None:
            return len(self.folds) - int(np.bincount(self.folds).max())
        return len(self.train) * (self.num_folds - 1) // self.num_folds

    @property
    def groups(self) -> np.ndarray | None:
        """(N,) joined group columns of the train rows."""
        names = self.competition.columns.group
        if self.train is None or not names:
            return None
        cells = [self.train.cells(name) for name in names]
        return np.array(["\x1f".join(row) for row in zip(*cells, strict=True)], dtype=object)

    @property
    def counts(self) -> np.ndarray | None:
        """(C,) train rows of each class; None without classes or labels."""
        if self.target is None or not self.task.has_classes:
            return None
        if self.target.ndim == 2:
            return np.asarray(self.target.sum(axis=0))
        return np.bincount(self.target, minlength=len(self.competition.classes))


@dataclass(frozen=True)
class RecipeCase:
    """One recipe.

    Attributes:
        ground: the competition.
        name: of the recipe.
        recipe: resolved.
        places: where the keys stand that files or overrides give.
    """

    ground: Ground
    name: str
    recipe: Recipe
    places: Places

    @property
    def own_stages(self) -> tuple[StageConfig, ...]:
        """Stages the recipe spells out."""
        return self.recipe.train.schedule.stages

    @property
    def num_epochs(self) -> int:
        """Epochs of the schedule."""
        return self.recipe.train.num_epochs

    @property
    def num_steps(self) -> int | None:
        """Optimiser steps of one unit; None while the rows are not known."""
        rows = self.ground.num_training_rows
        return None if rows is None else self.num_epochs * -(-rows // self.recipe.train.batch)

    @property
    def is_pretrained(self) -> bool:
        """Whether it starts from weights."""
        return self.recipe.model.pretrained is not False

    @property
    def is_frozen(self) -> bool:
        """Whether only a head on cached features trains."""
        return self.recipe.freeze == "backbone"

    @property
    def formulation(self) -> str:
        """The recipe's formulation or the task's default."""
        return self.recipe.formulation or self.ground.task.default_formulation


@dataclass(frozen=True)
class PlanCase:
    """The plan.

    Attributes:
        ground: the competition.
        plan: as it stands.
        recipes: of the plan, those that can be read.
    """

    ground: Ground
    plan: Plan
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    @cached_property
    def runs(self) -> set[str]:
        """Names a blend may have as member, and a submission be of: recipes, blends, runs."""
        return {*self.plan.recipes, *self.plan.blends, *self.ground.home.run_names()}
