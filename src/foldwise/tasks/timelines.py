"""Where train and test rows stand in time, as `submission.over_time` asks for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldwise.config.over_time import OverTimeConfig
from foldwise.data.fold_order import DAY_S, are_dates
from foldwise.decide.timeline import Timeline
from foldwise.errors import DataError
from foldwise.tasks.problem import Problem
from foldwise.tasks.sequences import (
    known_folds,
    named_sequence,
    read_sequences,
    sequence_columns,
)

_KEY = "submission.over_time"


def train_timeline(problem: Problem) -> Timeline | None:
    """Where the train rows stand; None if no step over time is asked for.

    The unit of the order is that of `columns.order`: its own numbers, or seconds for dates.

    Raises:
        ConfigError: nothing says what a sequence or its order is.
        DataError: two rows stand at one place of a sequence, or a sequence lies in several folds.
    """
    config = problem.competition.submission.over_time
    if config is None:
        return None
    timeline = _of_rows(problem, config, np.arange(len(problem.train)))
    _check_folds(problem, config, timeline)
    return timeline


def test_timeline(problem: Problem, ids: Sequence[str] | np.ndarray) -> Timeline | None:
    """Where test rows stand, by id; None if no step over time is asked for.

    Ids that are no test rows, since their images are damaged, are alone. Where a sequence lies in
    train and in test, its test rows see each other only: a train row's score, by models that left
    its fold out, is not what all of them together say.

    Raises:
        ConfigError, DataError: as `train_timeline`, but of folds.
    """
    config = problem.competition.submission.over_time
    if config is None:
        return None
    rows = len(problem.train) + np.arange(len(problem.test))
    # -1, of what is not there, is the last row: the one that is alone.
    places = pd.Index(problem.test.ids).get_indexer(pd.Index(ids))
    return _of_rows(problem, config, rows).with_alone(1).take(places)


def _of_rows(problem: Problem, config: OverTimeConfig, rows: np.ndarray) -> Timeline:
    """Some of the problem's samples, of which train rows come first."""
    columns = sequence_columns(problem, config.sequence, key=_KEY)
    sequences, order = read_sequences(problem, columns, key=_KEY)
    column = problem.competition.columns.order
    assert column is not None
    cells = problem.samples.cells(column)
    if are_dates([cells[row] for row in np.flatnonzero(sequences >= 0)]):
        order = order * DAY_S
    timeline = Timeline(sequences, order).take(rows)
    return timeline if config.max_gap is None else timeline.parted(config.max_gap)


def _check_folds(problem: Problem, config: OverTimeConfig, timeline: Timeline) -> None:
    """Refuse sequences in several folds: windows would reach from one into the other."""
    folds = known_folds(problem)
    if folds is None:
        return
    rows = np.flatnonzero((timeline.sequences >= 0) & (folds >= 0))
    frame = pd.DataFrame({"sequence": timeline.sequences[rows], "fold": folds[rows]})
    by_sequence = frame.groupby("sequence")["fold"]
    torn = by_sequence.transform("min") != by_sequence.transform("max")
    if not torn.any():
        return
    first = rows[int(torn.to_numpy().argmax())]
    inside = timeline.sequences[rows] == timeline.sequences[first]
    columns = sequence_columns(problem, config.sequence, key=_KEY)
    raise DataError(
        f"{problem.home.folds}: {named_sequence(problem.train, columns, int(first))} lies in folds "
        f"{', '.join(map(str, np.unique(folds[rows][inside])))}: {_KEY} would decide a row by "
        "what was fitted to its neighbours",
        remedy="keep each sequence in one fold, as `foldwise split` does, or name in "
        f"{_KEY}.sequence the column that tells its parts apart, too",
    )
