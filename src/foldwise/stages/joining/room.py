"""A competition made of score tables alone: truth and runs, no images, nothing to train."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.config.writing import write_yaml
from foldwise.data.fold_groups import merge_groups
from foldwise.data.folds_file import write_folds
from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.parts import Spec
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.stages.joining.scale import ONTO_SCALE, clipped, off_scale
from foldwise.stages.joining.score_frames import (
    id_texts,
    predictions_of,
    refuse_missing,
    refuse_repeated,
    says_folds,
    whole_numbers,
)
from foldwise.tables import write_csv
from foldwise.tasks import TASKS
from foldwise.tasks.labels import natural_order
from foldwise.tasks.problem import Problem, open_problem

_NAME = "the truth"


@dataclass(frozen=True)
class Truth:
    """What is true of the rows that scores are judged on.

    Attributes:
        frame: a row per sample, with the columns below.
        target: column of the labels; several columns of 0 and 1 for several labels.
        metric: name, or a mapping with `name` and options.
        task: `multiclass`, `multilabel`, `ordinal` or `regression`.
        id: column that names a sample.
        fold: column with the fold each row was held out in. Tables of scores say theirs in a
            column `fold`, and it must be the same.
        group: column of what must not be split over folds, such as a patient; rows without one
            stand alone; None: every row does.
        classes: class names or grades in order; empty: those that occur, in natural order.
    """

    frame: pd.DataFrame
    target: str | Sequence[str]
    metric: Spec
    task: str
    id: str = "id"
    fold: str = "fold"
    group: str | None = None
    classes: Sequence[str] = ()

    @property
    def targets(self) -> list[str]:
        """The label columns."""
        return [self.target] if isinstance(self.target, str) else list(self.target)


def make_room(
    folder: Path, truth: Truth, test_ids: Sequence[str] = (), *, final_picks: int | None = None
) -> Problem:
    """Write a competition around a table of truth, so that runs can be put into it.

    Args:
        folder: to be written into; not a competition yet.
        truth: the rows.
        test_ids: ids of rows to be answered, in any order.
        final_picks: submissions that count at the end; None: 2.

    Raises:
        DataError: columns are missing, ids or targets are missing, ids repeat, folds are no whole
            numbers, or a group has rows in several folds.
        ConfigError: unknown task or metric.
    """
    frame = _checked(truth)
    home = Home(folder)
    classes = [str(name) for name in truth.classes] or _classes(frame, truth)
    values = {
        "name": folder.name,
        "data": ".",
        "tables": {"train": "truth.csv"},
        "images": {"kind": "path", "column": truth.id},
        "columns": {
            "id": truth.id,
            "target": truth.targets,
            "group": [truth.group] if truth.group else [],
        },
        "task": truth.task,
        "classes": classes,
        "metric": truth.metric,
        "rules": {} if final_picks is None else {"final_picks": final_picks},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(home.competition, from_values(values, Competition, source="the truth"))
    write_yaml(home.plan, Plan(recipes={"none": {}}))
    samples_file.write(home.samples, Samples(_samples(frame, truth, test_ids)))
    write_folds(home.folds, frame[truth.id], frame[truth.fold])
    if truth.group:
        numbers = merge_groups(frame[truth.group].to_numpy()).astype(str)
        write_csv(home.groups, pd.DataFrame({"id": frame[truth.id], "group": numbers}))
    return open_problem(home)


def put_run(problem: Problem, name: str, oof: pd.DataFrame, test: pd.DataFrame | None) -> RunDir:
    """Write score tables as a run.

    Its record says whether the table had folds: without them nobody says that its rows were held
    out, and the score is marked optimistic.

    Args:
        problem: of `make_room`.
        name: of the run.
        oof: the id column and a column per score, maybe `fold`.
        test: the same for the rows to be answered; None: there are none.

    Raises:
        DataError: columns or ids are missing, ids repeat or are not the truth's, cells are no
            numbers, or scores lie beyond the common scale.
        RunError: the name cannot be that of a run.
    """
    run = problem.home.new_run(name)
    has_folds = says_folds(oof)
    rows = oof.iloc[:0] if test is None else test
    parts = {
        what: predictions_of(problem, frame, name=what, has_folds=takes_folds)
        for what, frame, takes_folds in (
            (f"{name} (out-of-fold)", oof, has_folds),
            (f"{name} (test)", rows, False),
        )
    }
    off = [line for what, part in parts.items() for line in off_scale(problem, part, name=what)]
    if off:
        raise DataError(*off, remedy=ONTO_SCALE)
    notes: list[str] = []
    _refuse_strangers(problem, parts[f"{name} (out-of-fold)"], name=name)
    held, answers = (clipped(problem, part, notes, name=what) for what, part in parts.items())
    predictions_file.write(run.oof, held if has_folds else _in_folds(problem, held))
    predictions_file.write(run.test, answers)
    record = {"kind": "outside", "commit": None, "has_folds": has_folds, "notes": notes}
    publish_json(run.record, record)
    return run


def _refuse_strangers(problem: Problem, found: Predictions, *, name: str) -> None:
    """Name the first id that the truth has not."""
    strangers = found.ids[~np.isin(found.ids, problem.train.ids)]
    if len(strangers):
        raise DataError(
            f"{name}: {len(strangers)} of {len(found)} ids are no rows of the truth, such as "
            f"{strangers[0]}",
            remedy="score the rows of the truth; rows to be answered go into the second table",
        )


def _in_folds(problem: Problem, found: Predictions) -> Predictions:
    """The same with the folds of the truth."""
    fold_of = dict(zip(problem.train.ids, problem.folds.tolist(), strict=True))
    return replace(found, folds=np.array([fold_of[row] for row in found.ids], np.int64))


def _checked(truth: Truth) -> pd.DataFrame:
    """The truth in order of ids, these as text, folds as whole numbers, groups as text or ""."""
    group = [truth.group] if truth.group else []
    refuse_missing(truth.frame, [truth.id, *truth.targets, truth.fold, *group], name=_NAME)
    frame = truth.frame.assign(**{truth.id: id_texts(truth.frame[truth.id], name=_NAME)})
    refuse_repeated(frame, truth.id, name=_NAME)
    folds = whole_numbers(frame, truth.fold, name=_NAME, id_column=truth.id)
    frame = frame.assign(**{truth.fold: folds})
    _refuse_untold(frame, truth)
    for column in group:
        cells = frame[column].astype(object)
        frame = frame.assign(**{column: cells.where(cells.notna(), "").astype(str)})
        _refuse_torn(frame, column, truth.fold)
    return frame.sort_values(truth.id, ignore_index=True)


def _refuse_untold(frame: pd.DataFrame, truth: Truth) -> None:
    """Name the first row whose target is missing."""
    for column in truth.targets:
        missing = np.flatnonzero(frame[column].isna())
        if len(missing):
            raise DataError(
                f"{_NAME}: {len(missing)} of {len(frame)} rows have no {column!r}, such as "
                f"{frame[truth.id].iloc[missing[0]]}",
                remedy="leave out rows whose answer nobody knows",
            )


def _refuse_torn(frame: pd.DataFrame, group: str, fold: str) -> None:
    """Name a group whose rows were held out in several folds."""
    folds = frame[frame[group] != ""].groupby(group, sort=False)[fold].unique()
    torn = folds[folds.str.len() > 1]
    if len(torn):
        shown = ", ".join(map(str, sorted(torn.iloc[0])))
        raise DataError(
            f"{_NAME}: {len(torn)} groups of column {group!r} have rows in several folds, such as "
            f"{torn.index[0]} in folds {shown}",
            remedy="its scores are by models that have seen part of the group: train on folds "
            "that keep groups whole, or leave the group out",
        )


def _classes(frame: pd.DataFrame, truth: Truth) -> list[str]:
    if len(truth.targets) > 1:
        return truth.targets
    task = TASKS.get(truth.task)
    if task is not None and not task.has_classes:
        return []
    return list(natural_order([str(cell) for cell in frame[truth.targets[0]]]))


def _samples(frame: pd.DataFrame, truth: Truth, test_ids: Sequence[str]) -> pd.DataFrame:
    train = [str(name) for name in frame[truth.id]]
    test = sorted({str(name) for name in test_ids})
    names = [*train, *test]
    rows = pd.DataFrame(
        {
            "id": np.array(names, dtype=object),
            "split": ["train"] * len(train) + ["test"] * len(test),
            "table": "truth.csv",
            "line": [*range(2, len(train) + 2), *range(2, len(test) + 2)],
            "file": "",
            "sha256": [hashlib.sha256(name.encode()).hexdigest() for name in names],
            "damaged": "",
        }
    )
    for column in [*truth.targets, *([truth.group] if truth.group else [])]:
        rows[f"cell:{column}"] = [*frame[column].astype(str), *[""] * len(test)]
    return rows
