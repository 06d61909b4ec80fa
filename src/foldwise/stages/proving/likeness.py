"""How alike two submissions are, and the scores that they are made from: rounding or more."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.home import Home
from foldwise.maps.levels import TOP
from foldwise.maps.maps import Maps, levels_apart
from foldwise.predictions import Predictions
from foldwise.stages.answering.units import unit_dir
from foldwise.stages.proving.proof import Check
from foldwise.tables import read_table
from foldwise.tasks.problem import Problem

#: Largest difference of scores that is told as rounding, by kind of prediction: of maps a level.
TOLERANCE = {"vector": 1e-4, "map": 1 / TOP}
_MAX_NAMED = 10


def compared(problem: Problem, own: Path, given: Path, away: float) -> Check:
    """Whether two submissions differ by rounding alone; flipped answers are named.

    Args:
        problem: the competition's.
        own: the run's own file.
        given: the pack's.
        away: largest difference of the scores that they are made from.
    """
    what = "its submission is the run's own, but for rounding"
    differing = _images_differ if own.suffix == ".zip" else _rows_differ
    found = differing(own, given, problem.competition.columns.id)
    if isinstance(found, str):
        return Check(what, False, found)
    names, num = found
    limit = TOLERANCE[problem.task.kind]
    detail = f"networks' scores differ by {away:.2g} at most, {limit:g} is allowed"
    if problem.competition.submission.gives != "scores":
        detail += f"; {len(names)} of {num} answers differ: {', '.join(names[:_MAX_NAMED])}"
    return Check(what, away <= limit, detail)


def scores_away(problem: Problem, there: Home, units: Iterable[str]) -> float:
    """Largest difference of units' scores of the test rows, here and where a pack ran.

    Args:
        problem: the competition's, here.
        there: where the pack ran.
        units: `run/unit`.
    """
    most = 0.0
    for unit in units:
        ours, theirs = (
            predictions_file.read(unit_dir(place, unit).test) for place in (problem.home, there)
        )
        most = max(most, _away(ours, theirs.align(ours.ids, name=unit)))
    return most


def _away(ours: Predictions, theirs: Predictions) -> float:
    if isinstance(ours.scores, Maps):
        return levels_apart(ours.scores, theirs.scores) / TOP
    return float(np.abs(ours.scores - theirs.scores).max(initial=0.0))


def _rows_differ(own: Path, given: Path, id_column: str) -> tuple[list[str], int] | str:
    """Ids of rows that differ, and how many rows there are; or why they cannot be compared."""
    ours, theirs = read_table(own).frame, read_table(given).frame
    if list(ours.columns) != list(theirs.columns) or len(ours) != len(theirs):
        return "other columns or rows"
    differ = (ours != theirs).any(axis=1).to_numpy()
    names = ours[id_column if id_column in ours.columns else ours.columns[0]]
    return names[differ].tolist(), len(ours)


def _images_differ(own: Path, given: Path, id_column: str) -> tuple[list[str], int] | str:
    """The same of the files of a zip."""
    with zipfile.ZipFile(own) as ours, zipfile.ZipFile(given) as theirs:
        names = ours.namelist()
        if names != theirs.namelist():
            return "other files, or in another order"
        return [name for name in names if ours.read(name) != theirs.read(name)], len(names)
