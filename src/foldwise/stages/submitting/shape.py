"""What a submission must look like: header, ids in order, and what each column holds."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.tables import Table, ids, read_table
from foldwise.tasks.asked import data_folder
from foldwise.tasks.task import Task

#: Rows of a sample submission whose sum is this near 1 ask for rows that sum to 1.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Shape:
    """The shape of a submission.

    Attributes:
        header: all columns in order.
        id_column: the one that names samples.
        ids: every id, in the order of the rows.
        holds: column beside the id → target column (answers) or score column (scores) in it.
        sums_to_one: whether the sample's scores sum to 1 in every row.
        sample: the organiser's sample submission; None if there is none.
    """

    header: tuple[str, ...]
    id_column: str
    ids: tuple[str, ...]
    holds: dict[str, str]
    sums_to_one: bool
    sample: Path | None

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns beside the id, in order."""
        return tuple(name for name in self.header if name != self.id_column)


def submission_shape(home: Home, competition: Competition, task: Task) -> Shape:
    """The sample submission's shape; without one, id and target columns, rows sorted by id.

    Raises:
        ConfigError: a column of the sample submission cannot be told; names the key to set.
        DataError: the sample submission is absent or no right table.
    """
    known = _known(competition, task)
    name = competition.tables.sample_submission
    if name is None:
        test = samples_file.read(home.samples).part("test")
        columns = competition.columns
        header = (columns.id, *known)
        own = {column: column for column in known}
        return Shape(header, columns.id, tuple(sorted(test.ids)), own, False, None)
    table = read_table(data_folder(home, competition) / name)
    header = tuple(map(str, table.frame.columns))
    id_column = competition.columns.id if competition.columns.id in header else header[0]
    asked = [column for column in header if column != id_column]
    return Shape(
        header,
        id_column,
        tuple(ids(table, id_column)),
        _holds(home, competition, asked, known),
        competition.submission.gives == "scores" and _sums_to_one(table, asked),
        table.path,
    )


def _known(competition: Competition, task: Task) -> tuple[str, ...]:
    """What columns can hold: targets for answers, scores of the common scale for scores."""
    if competition.submission.gives == "answers":
        return competition.columns.target
    return task.columns(competition.classes, competition.columns.target)


def _holds(
    home: Home, competition: Competition, asked: list[str], known: tuple[str, ...]
) -> dict[str, str]:
    mapping = competition.submission.columns
    problems = [
        f"{home.competition}: submission.columns: {column!r} is no column of the sample submission"
        for column in mapping
        if column not in asked
    ]
    holds = {}
    for column in asked:
        held = _held(competition, mapping.get(column, column), known)
        if held is None and column not in mapping and len(asked) == len(known) == 1:
            held = known[0]
        if held is None:
            near = difflib.get_close_matches(mapping.get(column, column), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(
                f"{home.competition}: column {column!r} of the sample submission holds "
                f"none of {', '.join(known)}{hint}"
            )
            continue
        holds[column] = held
    if problems:
        raise ConfigError(
            *problems, remedy="say what it holds: submission: {columns: {COLUMN: CLASS}}"
        )
    return holds


def _held(competition: Competition, name: str, known: tuple[str, ...]) -> str | None:
    """The known column of this name; a class's name stands for its target column."""
    if name in known:
        return name
    targets, classes = competition.columns.target, competition.classes
    if known == targets and len(targets) == len(classes) and name in classes:
        return targets[classes.index(name)]
    return None


def _sums_to_one(table: Table, asked: list[str]) -> bool:
    if len(asked) < 2 or not len(table):
        return False
    try:
        values = table.frame[asked].to_numpy(dtype=object).astype(np.float64)
    except ValueError:
        return False
    return bool(np.allclose(values.sum(axis=1), 1, atol=SUM_TOLERANCE))
