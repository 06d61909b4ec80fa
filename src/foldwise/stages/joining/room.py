"""A competition made of score tables alone: truth and runs, no images, nothing to train."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.config.writing import write_yaml
from foldwise.data.folds_file import write_folds
from foldwise.errors import DataError
from foldwise.parts import Spec
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import Home, RunDir
from foldwise.samples import Samples
from foldwise.tables import write_csv
from foldwise.tasks import TASKS
from foldwise.tasks.labels import natural_order
from foldwise.tasks.problem import Problem, open_problem


@dataclass(frozen=True)
class Truth:
    """What is true of the rows that scores are judged on.

    Attributes:
        frame: a row per sample, with the columns below.
        target: column of the labels; several columns of 0 and 1 for several labels.
        metric: name, or a mapping with `name` and options.
        task: `multiclass`, `multilabel`, `ordinal` or `regression`.
        id: column that names a sample.
        fold: column with the fold each row was held out in.
        group: column whose rows belong together; None: every row alone.
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


def make_room(folder: Path, truth: Truth, test_ids: Sequence[str] = ()) -> Problem:
    """Write a competition around a table of truth, so that runs can be put into it.

    Args:
        folder: to be written into; not a competition yet.
        truth: the rows.
        test_ids: ids of rows to be answered, in any order.

    Raises:
        DataError: columns are missing, ids repeat, or folds are no whole numbers.
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
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(home.competition, from_values(values, Competition, source="the truth"))
    write_yaml(home.plan, Plan(recipes={"none": {}}))
    samples_file.write(home.samples, Samples(_samples(frame, truth, test_ids)))
    write_folds(home.folds, frame[truth.id], frame[truth.fold].astype(int))
    if truth.group:
        groups = pd.DataFrame({"id": frame[truth.id], "group": frame[truth.group].astype(str)})
        write_csv(home.groups, groups)
    return open_problem(home)


def put_run(problem: Problem, name: str, oof: pd.DataFrame, test: pd.DataFrame | None) -> RunDir:
    """Write score tables as a run.

    Args:
        problem: of `make_room`.
        name: of the run.
        oof: the id column and a column per score, maybe `fold`.
        test: the same for the rows to be answered; None: there are none.

    Raises:
        DataError: columns are missing or ids repeat.
        RunError: the name cannot be that of a run.
    """
    run = problem.home.new_run(name)
    predictions_file.write(run.oof, _predictions(problem, f"{name} (out-of-fold)", oof))
    rows = oof.iloc[:0] if test is None else test
    predictions_file.write(run.test, _predictions(problem, f"{name} (test)", rows, has_folds=False))
    publish_json(run.record, {"kind": "outside", "commit": None})
    return run


def _checked(truth: Truth) -> pd.DataFrame:
    wanted = [truth.id, *truth.targets, truth.fold, *([truth.group] if truth.group else [])]
    missing = [name for name in wanted if name not in truth.frame.columns]
    if missing:
        raise DataError(
            f"the truth has no column {', '.join(map(repr, missing))}",
            remedy=f"it has {', '.join(map(repr, truth.frame.columns))}",
        )
    frame = truth.frame.assign(**{truth.id: truth.frame[truth.id].astype(str)})
    repeated = frame[truth.id][frame[truth.id].duplicated()]
    if len(repeated):
        raise DataError(f"the truth: {len(repeated)} ids repeat, such as {repeated.iloc[0]}")
    folds = pd.to_numeric(frame[truth.fold], errors="coerce")
    bad = np.flatnonzero(~(folds >= 0) | (folds % 1 != 0))
    if len(bad):
        raise DataError(
            f"the truth: column {truth.fold!r} of row {bad[0]} holds "
            f"{frame[truth.fold].iloc[bad[0]]!r}, wanted a whole number from 0"
        )
    return frame.sort_values(truth.id, ignore_index=True)


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


def _predictions(
    problem: Problem, name: str, frame: pd.DataFrame, *, has_folds: bool = True
) -> Predictions:
    id_column = problem.competition.columns.id
    columns = list(problem.columns)
    target = problem.competition.columns.target[0]
    if len(columns) == 1 and columns[0] not in frame.columns and target in frame.columns:
        columns = [target]
    missing = [column for column in [id_column, *columns] if column not in frame.columns]
    if missing:
        raise DataError(
            f"{name}: no column {', '.join(map(repr, missing))}",
            remedy=f"it has {', '.join(map(repr, frame.columns))}",
        )
    folds = None
    if has_folds and "fold" in frame.columns:
        folds = frame["fold"].to_numpy(dtype=np.int64)
    elif has_folds:
        fold_of = dict(zip(problem.train.ids, problem.folds.tolist(), strict=True))
        folds = np.array([fold_of.get(str(row), -1) for row in frame[id_column]], dtype=np.int64)
    return Predictions(
        np.array([str(row) for row in frame[id_column]], dtype=object),
        frame[columns].to_numpy(dtype=np.float64),
        problem.columns,
        folds=folds,
    )


def frame_of(found: Predictions) -> pd.DataFrame:
    """Predictions as a table: `id`, a column per score, and the fold where there is one."""
    values: Mapping[str, np.ndarray] = {
        "id": found.ids,
        **{column: found.scores[:, c] for c, column in enumerate(found.columns)},
        **({} if found.folds is None else {"fold": found.folds}),
    }
    return pd.DataFrame(values)
