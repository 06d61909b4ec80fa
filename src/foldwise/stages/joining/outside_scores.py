"""Score files from outside: a pair of tables with ids and the scores of the common scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise import predictions as predictions_file
from foldwise.errors import DataError, RunError
from foldwise.predictions import Predictions
from foldwise.stages.joining.scale import ONTO_SCALE, clipped, off_scale
from foldwise.stages.scoring.held_out import HeldOut, file_hash, held_out, ordered_columns
from foldwise.tables import Table, floats, ids, integers, read_table
from foldwise.tasks.problem import Problem

_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")
_FOLD = "fold"


@dataclass(frozen=True)
class OutsideScores:
    """A pair of score files, aligned.

    Attributes:
        held: out-of-fold scores under the task's fixed decision.
        test: scores of test rows as the file has them.
        test_name: of the file they are from.
        has_folds: the out-of-fold file says in which fold each row was held out.
        hashes: of the two files.
        on_common_scale: False where scores are no probabilities or grades, but were taken for
            their order.
        notes: what was found in them.
    """

    held: HeldOut
    test: Predictions
    test_name: str
    has_folds: bool
    hashes: tuple[str | None, str | None]
    on_common_scale: bool
    notes: tuple[str, ...]


def is_outside(spec: str) -> bool:
    """Whether a member is given by score files, not by the name of a run."""
    return any(part.strip().lower().endswith(_SUFFIXES) for part in spec.split(","))


def read_outside(problem: Problem, spec: str, *, any_scale: bool = False) -> OutsideScores:
    """Read `oof.csv,test.csv`.

    Both hold an id column (the competition's, or `id`) and a column per score: class names, the
    grade counted from 0, or the value; the out-of-fold file may hold `fold`. Paths are relative
    to here or to the competition; the second also to the first. The files of a run folder of
    foldwise do as well.

    Args:
        problem: what they answer.
        spec: the two files.
        any_scale: scores need not be probabilities or grades, since only their order is used.

    Raises:
        RunError: not a pair, or folds or ids that are not the problem's.
        DataError: absent, wrong columns, numbers that are none, class scores outside [0, 1].
    """
    oof_path, test_path = _pair(problem, spec)
    notes: list[str] = []
    oof, test = _read(problem, oof_path, notes), _read(problem, test_path, notes)
    name = spec.split(",")[0].strip()
    files = [(oof_path, oof), (test_path, test)]
    off = [line for path, part in files for line in off_scale(problem, part, name=str(path))]
    if off and not any_scale:
        by_order = "or blend with method {name: rank_mean, onto: ranks}"
        raise DataError(*off, remedy=f"{ONTO_SCALE}, {by_order}")
    if off:
        notes += [f"{line}; only their order is used" for line in off]
    else:
        oof, test = (clipped(problem, part, notes, name=path.name) for path, part in files)
    held = held_out(problem, oof, problem.default_decision(), name=name)
    return OutsideScores(
        held,
        test,
        str(test_path),
        has_folds=oof.folds is not None,
        hashes=(file_hash(oof_path), file_hash(test_path)),
        on_common_scale=not off,
        notes=tuple(notes),
    )


def _pair(problem: Problem, spec: str) -> tuple[Path, Path]:
    parts = [part.strip() for part in spec.split(",")]
    if len(parts) != 2 or not all(parts):
        raise RunError(
            f"{spec}: found {len(parts)} score file{'s' if len(parts) != 1 else ''}, wanted two",
            remedy="name the out-of-fold file and the test file: path/to/oof.csv,test.csv",
        )
    first = _existing(parts[0], (Path(), problem.home.path))
    return first, _existing(parts[1], (Path(), problem.home.path, first.parent))


def _existing(name: str, folders: tuple[Path, ...]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = ", ".join(str(folder.resolve()) for folder in folders)
    raise DataError(f"{name}: no such file", remedy=f"looked in {looked}")


def _read(problem: Problem, path: Path, notes: list[str]) -> Predictions:
    if _is_own(path):
        found = ordered_columns(predictions_file.read(path), problem.columns, name=str(path))
        if len(set(found.ids)) < len(found):
            repeated = found.ids[pd.Index(found.ids).duplicated()]
            raise DataError(
                f"{path}: {len(repeated)} ids are there more than once, such as {repeated[0]}",
                remedy="keep one row for each id",
            )
    else:
        found = _from_table(problem, read_table(path), notes)
    return found


def _is_own(path: Path) -> bool:
    if path.suffix.lower() not in (".parquet", ".pq"):
        return False
    try:
        return b"foldwise" in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowInvalid):
        return False


def _from_table(problem: Problem, table: Table, notes: list[str]) -> Predictions:
    header = list(table.frame.columns)
    names = _score_columns(problem, table, header)
    id_column = _id_column(problem, table, header)
    found = ids(table, id_column)
    scores = np.stack([floats(table, name) for name in names], axis=1)
    folds = integers(table, _FOLD) if _FOLD in header else None
    ignored = [name for name in header if name not in (*names, id_column, _FOLD)]
    if ignored:
        notes.append(f"{table.path.name}: columns not used: {', '.join(ignored)}")
    return Predictions(found, scores, problem.columns, folds=folds)


def _id_column(problem: Problem, table: Table, header: list[str]) -> str:
    known = (problem.competition.columns.id, "id")
    found = next((name for name in known if name in header), None)
    if found is None:
        raise DataError(
            f"{table.path}: no column {' or '.join(map(repr, dict.fromkeys(known)))}",
            remedy=f"it has {', '.join(map(repr, header))}",
        )
    return found


def _score_columns(problem: Problem, table: Table, header: list[str]) -> list[str]:
    """The header's names of the problem's scores; a single score may bear the target's name."""
    targets = problem.competition.columns.target
    if len(problem.columns) == 1 and problem.columns[0] not in header and targets[0] in header:
        return [targets[0]]
    missing = [name for name in problem.columns if name not in header]
    if missing:
        raise DataError(
            f"{table.path}: score columns missing: {', '.join(missing)}",
            remedy=f"it has {', '.join(map(repr, header))}; wanted the id and a column for each of "
            + ", ".join(problem.columns),
        )
    return list(problem.columns)
