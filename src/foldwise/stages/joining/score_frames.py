"""Data frames of scores as predictions, checked as score files are, and back."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foldwise.errors import DataError
from foldwise.predictions import Predictions
from foldwise.tasks.problem import Problem

_FOLD = "fold"


def predictions_of(
    problem: Problem, frame: pd.DataFrame, *, name: str, has_folds: bool
) -> Predictions:
    """A data frame as predictions.

    Args:
        problem: what it answers.
        frame: the id column and a column per score; a single score may bear the target's name.
        name: of the frame, for messages.
        has_folds: take column `fold`, too.

    Raises:
        DataError: columns are missing, ids are missing or repeat, or cells are no numbers.
    """
    frame = frame.rename(columns=str)  # As `predict_proba` gives them, classes may be numbers.
    id_column = problem.competition.columns.id
    columns = list(problem.columns)
    target = problem.competition.columns.target[0]
    if len(columns) == 1 and columns[0] not in frame.columns and target in frame.columns:
        columns = [target]
    wanted = [id_column, *columns, *([_FOLD] if has_folds else [])]
    refuse_missing(frame, wanted, name=name)
    frame = frame.assign(**{id_column: id_texts(frame[id_column], name=name)})
    refuse_repeated(frame, id_column, name=name)
    scores = [numbers(frame, column, name=name, id_column=id_column) for column in columns]
    folds = whole_numbers(frame, _FOLD, name=name, id_column=id_column) if has_folds else None
    found = frame[id_column].to_numpy(dtype=object)
    return Predictions(found, np.stack(scores, axis=1), problem.columns, folds=folds)


def says_folds(frame: pd.DataFrame) -> bool:
    """Whether a data frame says in which fold each row was held out."""
    return _FOLD in frame.columns


def frame_of(found: Predictions) -> pd.DataFrame:
    """Predictions as a table: `id`, a column per score, and the fold where there is one."""
    values = {
        "id": found.ids,
        **{column: found.scores[:, c] for c, column in enumerate(found.columns)},
        **({} if found.folds is None else {_FOLD: found.folds}),
    }
    return pd.DataFrame(values)


def refuse_missing(frame: pd.DataFrame, columns: list[str], *, name: str) -> None:
    """Name the columns that are not there.

    Raises:
        DataError: some are not.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(
            f"{name}: no column {', '.join(map(repr, missing))}",
            remedy=f"it has {', '.join(map(repr, frame.columns))}",
        )


def id_texts(cells: pd.Series, *, name: str) -> pd.Series:
    """Ids as text.

    Raises:
        DataError: some are missing; the first is named by its place.
    """
    missing = np.flatnonzero(cells.isna())
    if len(missing):
        raise DataError(
            f"{name}: {len(missing)} of {len(cells)} ids are missing, the first in row "
            f"{missing[0]} counted from 0",
            remedy="give every row the id of its sample",
        )
    return cells.astype(str)


def refuse_repeated(frame: pd.DataFrame, id_column: str, *, name: str) -> None:
    """Name the first id that is there more than once.

    Raises:
        DataError: there is one.
    """
    repeated = frame[id_column][frame[id_column].duplicated()]
    if len(repeated):
        raise DataError(
            f"{name}: {len(repeated)} ids are there more than once, such as {repeated.iloc[0]}",
            remedy="keep one row for each id",
        )


def numbers(frame: pd.DataFrame, column: str, *, name: str, id_column: str) -> np.ndarray:
    """(N,) float64 of a column.

    Raises:
        DataError: cells that are no finite numbers; the first is named.
    """
    values = _as_floats(frame[column])
    _refuse(frame, column, ~np.isfinite(values), name, id_column, "a finite number")
    return values


def whole_numbers(frame: pd.DataFrame, column: str, *, name: str, id_column: str) -> np.ndarray:
    """(N,) int64 of a column.

    Raises:
        DataError: cells that are no whole numbers from 0; the first is named.
    """
    values = _as_floats(frame[column])
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    _refuse(frame, column, wrong, name, id_column, "a whole number from 0")
    return values.astype(np.int64)


def _as_floats(cells: pd.Series) -> np.ndarray:
    return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _refuse(
    frame: pd.DataFrame, column: str, wrong: np.ndarray, name: str, id_column: str, wanted: str
) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        first, count = rows[0], f" ({len(rows)} such rows)" if len(rows) > 1 else ""
        raise DataError(
            f"{name}: column {column!r} of row {frame[id_column].iloc[first]} holds "
            f"{frame[column].iloc[first]}, wanted {wanted}{count}"
        )
