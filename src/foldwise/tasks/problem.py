"""The problem at hand: competition, task, samples and targets, as every stage needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.recipe import Recipe
from foldwise.data.fold_groups import merge_groups
from foldwise.data.folds_file import folds_hash, read_folds
from foldwise.decide.decision import Decision, Step
from foldwise.errors import ConfigError, DataError, RunError
from foldwise.home import Home
from foldwise.masks.of_samples import masks_of
from foldwise.metrics import METRICS, Metric, bind
from foldwise.parts import Spec, name_of
from foldwise.samples import Samples
from foldwise.tables import read_table
from foldwise.tasks.asked import load_competition, read_target
from foldwise.tasks.presence import PRESENCE, PRESENCE_TASK, asks_presence, target_of
from foldwise.tasks.task import Task


@dataclass(frozen=True)
class Problem:
    """A competition with its samples.

    Attributes:
        home: the competition's folder.
        competition: what is asked.
        task: which kind of question.
        samples: train and test rows, damaged ones left out.
        external: rows of external data, which are trained on alone; None: none is declared.
        masks: the problem whose masks show what is asked here, which classes are in an image; None:
            what the competition asks for is asked.
    """

    home: Home
    competition: Competition
    task: Task
    samples: Samples
    external: Samples | None = None
    masks: Problem | None = None

    def asked_by(self, recipe: Recipe) -> Problem:
        """What a recipe's network is asked: the competition's question, or which classes are there.

        Raises:
            ConfigError: `target: presence`, and the competition asks for no masks.
        """
        return self._asked(recipe.target)

    def asked_in(self, record: Mapping[str, Any]) -> Problem:
        """The same of a run, by its `run.json`; a blend says it itself."""
        return self._asked(target_of(record))

    def _asked(self, target: str | None) -> Problem:
        whole = self.masks or self
        return whole.presence if target == PRESENCE else whole

    @cached_property
    def presence(self) -> Problem:
        """The same samples, asked which classes their masks show.

        Raises:
            ConfigError: the competition asks for no masks.
        """
        if self.masks is not None:
            return self
        if self.task.kind != "map":
            raise ConfigError(
                f"{PRESENCE} asks which classes masks show, and task {self.task.name} has no masks",
                remedy="take target out of the recipe",
            )
        asked = asks_presence(self.competition)
        return replace(self, competition=asked, task=PRESENCE_TASK, masks=self)

    @property
    def is_handed_in(self) -> bool:
        """Whether its answers are what the competition asks for."""
        return self.masks is None

    def is_asked_in(self, record: Mapping[str, Any]) -> bool:
        """Whether a run was asked just this, by its `run.json`."""
        return (target_of(record) == PRESENCE) == (self.masks is not None)

    def check_handed_in(self, name: str, record: Mapping[str, Any]) -> None:
        """Refuse a run whose answers are not what the competition asks for.

        Raises:
            RunError: it says which classes are in an image.
        """
        if not self.asked_in(record).is_handed_in:
            raise RunError(
                f"{name}: says which classes are in an image (target: {PRESENCE}), and the "
                "competition asks where they are",
                remedy=f"name it as gate of a blend of masks: `foldwise blend RUN --gate {name}`",
            )

    @property
    def num_classes(self) -> int:
        """Classes or grades; 1 for regression."""
        return max(1, len(self.competition.classes))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the scores on the common scale."""
        return self.task.columns(self.competition.classes, self.competition.columns.target)

    @cached_property
    def train(self) -> Samples:
        """The rows with labels."""
        return self.samples.part("train")

    @cached_property
    def test(self) -> Samples:
        """The rows to be answered."""
        return self.samples.part("test")

    @cached_property
    def target(self) -> Any:
        """(N,) or (N, C) array, or N samples' `Masks`: one row per train sample."""
        if self.masks is not None:
            return self.masks.target.present
        if self.task.kind == "map":
            return masks_of(self.home.masks, self.train.ids)
        return read_target(self.competition, self.task, self.train)

    @cached_property
    def one_hot(self) -> np.ndarray:
        """(N, C) the target as a perfect score on the common scale."""
        return self.task.one_hot(self.target, self.num_classes)

    @cached_property
    def group_columns(self) -> tuple[np.ndarray, ...]:
        """The cells of each group column, (N,) str each; "" says that a row has no such group."""
        names = self.competition.columns.group
        return tuple(np.array(self.train.cells(name), dtype=object) for name in names)

    @cached_property
    def column_groups(self) -> np.ndarray | None:
        """(N,) str, names of the train rows' groups; None if there are no group columns.

        Rows that agree in any of the columns, directly or through others, are one group, named by
        the cells of its first row. Rows with empty cells only are named "", and are no group.
        """
        if not self.group_columns:
            return None
        cells = zip(*self.group_columns, strict=True)
        names = np.array([" / ".join(filter(None, row)) for row in cells], dtype=object)
        numbers = merge_groups(*self.group_columns)  # Dense, in order of first appearance.
        first = np.unique(numbers, return_index=True)[1]
        return np.asarray(names[first[numbers]])

    @cached_property
    def groups(self) -> np.ndarray | None:
        """(N,) str, what shares a fold: group columns and duplicates; None: every row alone.

        Raises:
            DataError: rows without a group, since they came after `split`.
        """
        if not self.home.groups.exists():
            return None
        table = read_table(self.home.groups)
        group = dict(zip(table.frame["id"], table.frame["group"], strict=True))
        missing = [name for name in self.train.ids if name not in group]
        if missing:
            raise DataError(
                f"{self.home.groups}: {len(missing)} train rows have no group, such as "
                f"{missing[0]}",
                remedy="run `foldwise split`",
            )
        return np.array([group[name] for name in self.train.ids], dtype=object)

    def gap_rows(self, fold: int) -> np.ndarray:
        """(N,) bool, train rows too near in time to a fold to be learned from."""
        left_out = np.zeros(len(self.train), dtype=bool)
        if self.home.gaps.exists():
            table = read_table(self.home.gaps)
            ids = set(table.frame["id"][table.frame["fold"] == str(fold)])
            left_out[:] = [name in ids for name in self.train.ids]
        return left_out

    @cached_property
    def folds(self) -> np.ndarray:
        """(N,) int64, the fold of each train row.

        Raises:
            DataError: no folds yet, or rows without a fold.
        """
        if not self.home.folds.exists():
            raise DataError(
                f"{self.home.folds}: there are no folds yet", remedy="run `foldwise split` first"
            )
        folds = read_folds(self.home.folds)
        missing = [name for name in self.train.ids if name not in folds]
        if missing:
            raise DataError(
                f"{self.home.folds}: {len(missing)} train rows have no fold, such as {missing[0]}",
                remedy="run `foldwise split`: rows that have a fold keep it",
            )
        return np.array([folds[name] for name in self.train.ids], dtype=np.int64)

    @property
    def folds_hash(self) -> str:
        """Hash of the train rows' folds."""
        return folds_hash(self.train.ids, self.folds)

    @cached_property
    def metric(self) -> Metric:
        """The competition's metric."""
        return self.bound_metric(self.competition.metric)

    @property
    def metric_name(self) -> str:
        """The competition's metric by name."""
        return name_of(self.competition.metric)

    def bound_metric(self, spec: Spec) -> Metric:
        """A metric with its options, checked against the task.

        Raises:
            ConfigError: unknown, or it cannot score this task.
        """
        metric = bind(METRICS, spec, code=self.home.code)
        if metric.tasks and self.task.name not in metric.tasks:
            raise ConfigError(
                f"{self.home.competition}: metric {name_of(spec)} cannot score task "
                f"{self.task.name}",
                remedy=f"metrics for it: {', '.join(self.task.metrics)}",
            )
        return metric

    def shares(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Class shares in train and, as `test_prior` says, in test; None without classes.

        Raises:
            DataError: test is said to hold a class that no train row is of.
        """
        if not self.task.one_of_classes:
            return None, None
        counts = np.bincount(self.target, minlength=self.num_classes)
        train = counts / counts.sum()
        prior = self.competition.test_prior
        if prior == "train":
            return train, train
        names = self.competition.classes
        asked = dict.fromkeys(names, 1.0) if prior == "balanced" else prior
        assert isinstance(asked, dict)
        test = np.array([asked.get(name, 0.0) for name in names])
        unseen = [names[index] for index in np.flatnonzero((test > 0) & (counts == 0))]
        if unseen:
            raise DataError(
                f"{self.home.competition}: test_prior: no train row is of class "
                f"{', '.join(unseen)}, so its scores cannot be weighed for test",
                remedy="give shares by class with 0 for it, or take it out of classes",
            )
        return train, test / test.sum()

    @cached_property
    def row_weights(self) -> np.ndarray | None:
        """(N,) how much a train row counts for the mix of classes expected in test."""
        train, test = self.shares()
        if train is None or test is None or np.allclose(train, test):
            return None
        weights = np.divide(test, train, out=np.zeros_like(test), where=train > 0)
        return np.asarray(weights[self.target])

    def default_decision(self) -> Decision:
        """The task's fixed decision, its last step with the options that are asked for.

        Raises:
            ConfigError: it has no such options.
        """
        masks, asked = self.competition.masks, self.competition.submission.fixed
        if self.masks is None and masks is not None and masks.exclusive:
            decision = Decision((Step("surest_class"),))
        else:
            decision = self.task.decision(self.num_classes, *self.shares())
        if not asked:
            return decision
        *before, last = decision.steps
        try:
            return Decision((*before, replace(last, options={**last.options, **asked})))
        except ConfigError as error:
            problems = (f"{self.home.competition}: submission.fixed: {p}" for p in error.problems)
            raise ConfigError(*problems, remedy=error.remedy) from None

    def score(
        self,
        metric: Metric,
        scores: np.ndarray,
        decision: Decision,
        rows: np.ndarray | slice = slice(None),
        weight: np.ndarray | None = None,
    ) -> float:
        """The metric of scores on the common scale, decided where the metric takes answers.

        Args:
            metric: bound metric.
            scores: (n, C) for the given rows.
            decision: from scores to answers.
            rows: which train rows these are.
            weight: (n,) row weights.

        Raises:
            ValueError: the metric is undefined on these rows.
        """
        return metric(self.preds(metric, scores, decision), self.target[rows], weight)

    def preds(self, metric: Metric, scores: Any, decision: Decision) -> Any:
        """What the metric takes: decided answers or scores after the decision's score steps."""
        return decision.answers(scores) if metric.takes == "answers" else decision.scores(scores)


def open_problem(home: Home) -> Problem:
    """The problem of a prepared competition.

    Raises:
        ConfigError, DataError: as the files say.
    """
    competition, task = load_competition(home)
    found = samples_file.read(home.samples).whole()
    external = samples_file.read(home.external).whole() if competition.external else None
    return Problem(home, competition, task, found, external)
