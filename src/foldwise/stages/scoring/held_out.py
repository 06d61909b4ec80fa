"""A run's out-of-fold scores beside the truth, and what a metric makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise import predictions as predictions_file
from foldwise.decide.decision import Decision
from foldwise.decide.timeline import Timeline
from foldwise.errors import DataError, RunError
from foldwise.home import Home
from foldwise.masks.of_samples import Masks, scattered
from foldwise.metrics import Metric
from foldwise.predictions import Predictions
from foldwise.rundir import RunDir
from foldwise.tasks.problem import Problem
from foldwise.tasks.timelines import train_timeline

#: `Decision.scores` or `Decision.answers`.
Decide = Callable[[Decision, Any, Timeline | None], Any]


@dataclass(frozen=True)
class Answered:
    """Answers and the decisions that gave them; by others, they are none.

    Attributes:
        answers: (n,) or (n, C), or `Masks`.
        decision: as of `HeldOut`.
        by_fold: as there.
    """

    answers: Any
    decision: Decision
    by_fold: Mapping[int, Decision] | None

    def is_by(self, decision: Decision, by_fold: Mapping[int, Decision] | None) -> bool:
        """Whether these decisions gave them."""
        return decision is self.decision and by_fold is self.by_fold

    def among(self, chosen: np.ndarray) -> Answered:
        """Those of some rows."""
        return replace(self, answers=self.answers[chosen])


@dataclass(frozen=True)
class HeldOut:
    """Scores of train rows by models that have not seen them, and the truth.

    Attributes:
        problem: whose rows they are.
        name: the run's, for messages.
        rows: (n,) int64 positions in the problem's train rows, rising.
        scores: (n, C) float64 on the common scale, columns in the problem's order; or `Maps`.
        decision: from scores to answers.
        by_fold: fold → the decision that was fitted without it; None: `decision` for all rows.
        timeline: where the rows stand in time; None where no step over time is asked for.
        context: all rows that these were taken from, where a row's answer may depend on its
            neighbours in time: they are decided together. None: these rows are all.
        answered: answers that were made beforehand: those of maps take a while.
    """

    problem: Problem
    name: str
    rows: np.ndarray
    scores: Any
    decision: Decision
    by_fold: Mapping[int, Decision] | None = None
    timeline: Timeline | None = None
    context: HeldOut | None = None
    answered: Answered | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def target(self) -> Any:
        """(n,) or (n, C), or `Masks`."""
        return self.problem.target[self.rows]

    @property
    def folds(self) -> np.ndarray:
        """(n,) int64."""
        folds: np.ndarray = self.problem.folds[self.rows]
        return folds

    @property
    def weight(self) -> np.ndarray | None:
        """(n,) how much each row counts under the test mix; None: all alike."""
        weights = self.problem.row_weights
        return None if weights is None else weights[self.rows]

    @property
    def groups(self) -> np.ndarray | None:
        """(n,) what shares a fold; None: every row alone."""
        groups = self.problem.groups
        return None if groups is None else groups[self.rows]

    @property
    def answers(self) -> Any:
        """(n,) or (n, C), or `Masks`: each row's by a decision that has not seen its fold."""
        known = self.answered
        if known is not None and known.is_by(self.decision, self.by_fold):
            return known.answers
        return self._in_folds(Decision.answers)

    def with_answers(self) -> HeldOut:
        """The same with its answers made, so that they are not made again."""
        return replace(self, answered=Answered(self.answers, self.decision, self.by_fold))

    @property
    def decided_scores(self) -> Any:
        """(n, C) scores after the decision's score steps."""
        return self._in_folds(Decision.scores)

    @property
    def present_folds(self) -> list[int]:
        """Folds of which every row is there."""
        every = np.bincount(self.problem.folds)
        there = np.bincount(self.folds, minlength=len(every))
        return [int(fold) for fold in np.flatnonzero((there == every) & (every > 0))]

    @property
    def missing_folds(self) -> list[int]:
        """Folds of which rows are missing."""
        return sorted(set(self.problem.folds.tolist()) - set(self.present_folds))

    def without(self, fold: int) -> Decision:
        """The decision that has not seen a fold."""
        return self.by_fold[fold] if self.by_fold else self.decision

    def among(self, chosen: np.ndarray) -> HeldOut:
        """Some of these rows, by mask or position; they are decided as they are among these."""
        answered = None if self.answered is None else self.answered.among(chosen)
        part = replace(self, rows=self.rows[chosen], scores=self.scores[chosen], answered=answered)
        if self.timeline is None:
            return part
        whole = self if self.context is None else self.context
        return replace(part, timeline=self.timeline.take(chosen), context=whole)

    def with_scores(self, scores: Any) -> HeldOut:
        """The same rows by themselves with other scores, (n, C)."""
        return replace(self, scores=scores, context=None, answered=None)

    def preds(self, metric: Metric) -> Any:
        """What the metric takes.

        Decided answers, scores after the decision's score steps, or of masks what it counts.
        """
        if metric.takes == "masks":
            answers, target = self.answers, self.target
            return metric.count(answers.runs, target.runs, target.num_classes, target.ignored)
        return self.answers if metric.takes == "answers" else self.decided_scores

    def score(self, metric: Metric, *, weighted: bool = True) -> float:
        """The metric on these rows, under the test mix unless told otherwise.

        Raises:
            ValueError: it is undefined on them.
        """
        return metric(self.preds(metric), self.target, self.weight if weighted else None)

    def _in_folds(self, decide: Decide) -> Any:
        if self.context is not None and self._is_over_time:
            whole = self.context.among(np.isin(self.context.folds, self.folds))
            together = replace(whole, decision=self.decision, by_fold=self.by_fold, context=None)
            found = together._in_folds(decide)
            return found[np.searchsorted(whole.rows, self.rows)]
        if not self.by_fold or not len(self):
            return decide(self.decision, self.scores, self.timeline)
        folds = self.folds
        parts = {
            fold: decide(
                self.by_fold[fold],
                self.scores[folds == fold],
                None if self.timeline is None else self.timeline.take(folds == fold),
            )
            for fold in np.unique(folds).tolist()
        }
        first = next(iter(parts.values()))
        if isinstance(first, Masks):
            return scattered(
                [(np.flatnonzero(folds == fold), part) for fold, part in parts.items()]
            )
        found = np.empty((len(self), *first.shape[1:]), dtype=first.dtype)
        for fold, part in parts.items():
            found[folds == fold] = part
        return found

    @property
    def _is_over_time(self) -> bool:
        decisions = [self.decision] if self.by_fold is None else self.by_fold.values()
        return any(decision.is_over_time for decision in decisions)


def held_out(problem: Problem, found: Predictions, decision: Decision, *, name: str) -> HeldOut:
    """Predictions beside the truth, aligned by id and by column name.

    Raises:
        RunError: ids that are no train rows, or folds that differ from the problem's.
        DataError: other columns, or scores that are not finite.
    """
    found = ordered_columns(found, problem.columns, name=name)
    position = pd.Index(problem.train.ids).get_indexer(pd.Index(found.ids))
    _refuse_strangers(found, position, name)
    if found.folds is not None:
        refuse_other_folds(problem, found.ids, found.folds, name=name)
    _refuse_infinite(found, name)
    order = np.argsort(position, kind="stable")
    rows, timeline = position[order], train_timeline(problem)
    return HeldOut(
        problem,
        name,
        rows,
        found.scores[order],
        decision,
        timeline=None if timeline is None else timeline.take(rows),
    )


def read_held_out(problem: Problem, run: RunDir) -> HeldOut:
    """A run's out-of-fold scores, beside the truth that the run was asked for.

    Raises:
        RunError: there is no such run, or it was made on other folds.
        DataError: its score file is absent or damaged.
    """
    record = run.read_record()
    problem = problem.asked_in(record)
    name = run_label(problem.home, run)
    return held_out(
        problem, predictions_file.read(run.oof), decision_of(problem, record), name=name
    )


def decision_of(problem: Problem, record: Mapping[str, Any]) -> Decision:
    """The fixed decision for a run's scores.

    A blend of labels averages answers, so the steps before the answer are behind it already.
    """
    decision = problem.default_decision()
    takes_votes = record.get("blend", {}).get("takes") == "votes"
    return Decision(decision.steps[-1:]) if takes_votes else decision


def ordered_columns(found: Predictions, columns: tuple[str, ...], *, name: str) -> Predictions:
    """The same predictions with their score columns in this order.

    Raises:
        DataError: columns are missing, or there are others.
    """
    missing = [column for column in columns if column not in found.columns]
    others = [column for column in found.columns if column not in columns]
    if missing or others:
        raise DataError(
            *([f"{name}: score columns missing: {', '.join(missing)}"] if missing else []),
            *([f"{name}: unknown score columns: {', '.join(others)}"] if others else []),
            remedy=f"the columns are {', '.join(columns)}",
        )
    places = [found.columns.index(column) for column in columns]
    scores = found.scores.picked(places) if found.kind == "map" else found.scores[:, places]
    return replace(found, scores=scores, columns=columns)


def refuse_other_folds(problem: Problem, ids: np.ndarray, folds: np.ndarray, *, name: str) -> None:
    """Check that rows were held out in the folds that `folds.csv` gives them.

    Raises:
        RunError: they were not; the first five are named.
    """
    ours = dict(zip(problem.train.ids, problem.folds.tolist(), strict=True))
    differ = [
        (row, fold) for row, fold in zip(ids, folds.tolist(), strict=True) if ours[row] != fold
    ]
    if differ:
        shown = ", ".join(f"{row} ({fold}, here {ours[row]})" for row, fold in differ[:5])
        raise RunError(
            f"{name}: {len(differ)} of {len(ids)} rows were held out in another fold than "
            f"folds.csv gives them: {shown}" + (" ..." if len(differ) > 5 else ""),
            remedy="runs are comparable on equal folds only: train it again on these folds",
        )


def run_label(home: Home, run: RunDir) -> str:
    """The run's name below `runs/`, such as `b` or `b/reference`; else its path."""
    if run.path.is_relative_to(home.runs):
        return run.path.relative_to(home.runs).as_posix()
    return str(run.path)


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file; None if it is not there."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_infinite(found: Predictions, name: str) -> None:
    if found.kind == "map":  # Levels are finite by their type.
        return
    bad = np.flatnonzero(~np.isfinite(found.scores).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name}: scores of {len(bad)} of {len(found)} rows are NaN or infinite, such as "
            + ", ".join(map(str, found.ids[bad[:5]]))
        )


def _refuse_strangers(found: Predictions, position: np.ndarray, name: str) -> None:
    strangers = found.ids[position < 0]
    if len(strangers):
        raise RunError(
            f"{name}: {len(strangers)} of {len(found)} out-of-fold ids are no train rows, such as "
            + ", ".join(map(str, strangers[:5])),
            remedy="the tables have changed since; run `foldwise train` again",
        )
    repeated = found.ids[pd.Index(found.ids).duplicated()]
    if len(repeated):
        raise DataError(
            f"{name}: {len(repeated)} ids are there more than once, such as {repeated[0]}"
        )
