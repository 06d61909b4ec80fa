"""Sequences: which rows belong together, and in what order, by the columns that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldwise.data.fold_order import read_order
from foldwise.data.folds_file import read_folds
from foldwise.data.frames import first_tie
from foldwise.errors import ConfigError, DataError
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem


def sequence_columns(problem: Problem, named: Sequence[str], *, key: str) -> tuple[str, ...]:
    """The columns that tell sequences apart, checked together with the order's.

    Args:
        problem: whose rows are in sequences.
        named: columns that `key` names itself; empty: `columns.group`.
        key: what asks for sequences, such as `input.frames`, for the message.

    Raises:
        ConfigError: nothing says what a sequence or its order is, or the rows have no such values.
    """
    columns = problem.competition.columns
    found = tuple(named) or columns.group
    if columns.order is None or not columns.group:
        lacks = "order" if columns.order is None else "group"
        raise ConfigError(
            f"competition.yaml says no columns.{lacks}",
            remedy="name the column that rises with time in columns.order, and the one whose "
            "rows belong together (video, track, volume) in columns.group",
        )
    if not set(found) & set(columns.group):
        raise ConfigError(
            f"{', '.join(found)}: none of them is in columns.group, so "
            "neighbours could lie in other folds",
            remedy=f"name {' or '.join(columns.group)} as well",
        )
    lacking = [
        f"{split} has no values in column {name}"
        for split, rows in (("train", problem.train), ("test", problem.test))
        for name in (*found, columns.order)
        if len(rows) and not _has_values(rows, name)
    ]
    if lacking:
        raise ConfigError(
            *lacking,
            remedy=f"take {key} out: what looks at neighbours needs them in train and in test",
        )
    return found


def read_sequences(
    problem: Problem, columns: Sequence[str], *, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """The sequence of each of the problem's samples, train rows first, and its place there.

    Args:
        problem: whose rows are in sequences.
        columns: as `sequence_columns` gives them.
        key: what asks for sequences, for the message.

    Returns:
        (N,) int64 sequences, -1 where all cells of the columns that are groups are empty, so that
        the row is alone; (N,) float64 order as in `read_order`, 0 where a row is alone.

    Raises:
        DataError: a sequence has two rows at one place.
    """
    sequences = _sequences(problem, columns)
    order = _order(problem, sequences)
    if (tie := first_tie(sequences, order)) is not None:
        first, second = problem.samples.ids[list(tie)]
        raise DataError(
            f"{first} and {second} are of one sequence "
            f"({named_sequence(problem.samples, columns, tie[0])}) and at one place in its order",
            remedy=f"name the columns that tell them apart in {key}.sequence: "
            f"[{', '.join(columns)}, ...], or correct columns.order",
        )
    return sequences, order


def known_folds(problem: Problem) -> np.ndarray | None:
    """(N,) int64, the fold of each train row, -1 where it has none yet; None before `split`."""
    if not problem.home.folds.exists():
        return None
    known = read_folds(problem.home.folds)
    return np.array([known.get(name, -1) for name in problem.train.ids], dtype=np.int64)


def named_sequence(samples: Samples, columns: Sequence[str], row: int) -> str:
    """A row's sequence in words, such as `track 7`."""
    return ", ".join(f"{name} {samples.cells(name)[row]}" for name in columns)


def _has_values(samples: Samples, name: str) -> bool:
    return name in samples.columns and any(samples.cells(name))


def _sequences(problem: Problem, columns: Sequence[str]) -> np.ndarray:
    samples = problem.samples
    cells = pd.DataFrame({name: samples.cells(name) for name in columns})
    groups = [name for name in columns if name in problem.competition.columns.group]
    is_alone = (cells[groups] == "").all(axis=1).to_numpy()
    numbers = cells.groupby(list(columns), sort=False).ngroup().to_numpy(dtype=np.int64)
    return np.where(is_alone, -1, numbers)


def _order(problem: Problem, sequences: np.ndarray) -> np.ndarray:
    column = problem.competition.columns.order
    assert column is not None
    cells, order = problem.samples.cells(column), np.zeros(len(sequences))
    rows = np.flatnonzero(sequences >= 0)
    order[rows] = read_order([cells[row] for row in rows], column=column)
    return order
