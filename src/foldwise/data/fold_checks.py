"""What folds can be made from: settings checked, the number of folds chosen, gaps named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldwise.data.fold_problem import FoldProblem
from foldwise.errors import ConfigError, DataError

_MAX_NAMED = 5


def check(problem: FoldProblem) -> None:
    """Refuse a problem that cannot be solved as stated.

    Raises:
        ConfigError: all settings that are wrong or lack what they need.
        DataError: all rows that are wrong.
    """
    if problems := _wrong_settings(problem):
        raise ConfigError(*problems)
    if problems := _wrong_rows(problem):
        raise DataError(*problems)


def check_gaps(folds: np.ndarray, gap_rows: np.ndarray, gap: float) -> None:
    """Refuse gaps that leave a fold no row to train with.

    Raises:
        ConfigError: names the folds.
    """
    empty = [k for k, near in enumerate(gap_rows) if not ((folds != k) & ~near).any()]
    if empty:
        raise ConfigError(
            f"folds.gap: {gap:g} leaves no rows to train fold {', '.join(map(str, empty))} with",
            remedy="make the gap smaller; it is in the units of the order column",
        )


def choose_num_folds(
    problem: FoldProblem, by_class: np.ndarray, names: Sequence[str], notes: list[str]
) -> int:
    """The folds asked for, or as many as there are groups, in all and of the rarest class.

    Args:
        problem: sorted or not.
        by_class: (C + 1,) groups that hold each class, then groups in all.
        names: C class names.
        notes: what is to be said is appended.

    Raises:
        DataError: all rows are one group.
    """
    asked, num_units = problem.num_folds, int(by_class[-1])
    what = _unit_word(problem)
    if num_units < 2:
        raise DataError(
            f"{len(problem.ids)} rows, all in 1 group: no fold can be held out",
            remedy="check columns.group and folds.duplicates: a group is what must not be split, "
            "not all rows",
        )
    num_folds = min(asked, num_units)
    if num_folds < asked:
        notes.append(f"{num_folds} folds instead of {asked}: there are {num_units} {what} only")
    if problem.strata is None or problem.scheme in ("group", "time_blocks"):
        return num_folds
    several = [(int(num), name) for num, name in zip(by_class, names, strict=False) if num >= 2]
    fewest, rarest = min(several, default=(num_folds, ""))
    if fewest < num_folds:
        notes.append(
            f"{fewest} folds instead of {asked}: class {rarest} has no more than {fewest} {what}"
        )
    return min(num_folds, fewest)


def find_absent(held: np.ndarray, names: Sequence[str], by_class: np.ndarray) -> list[str]:
    """A sentence on classes in one group only, and one on other classes that a fold lacks."""
    lone = [name for name, num in zip(names, by_class, strict=False) if num == 1]
    lacking = [
        f"{name} (fold {', '.join(map(str, np.flatnonzero(held[:, column] == 0)))})"
        for column, name in enumerate(names)
        if by_class[column] > 1 and not held[:, column].all()
    ]
    notes = []
    if lone:
        notes.append(
            f"{_named(lone)}: in one group only, so it cannot be validated in every fold, "
            "and the fold that holds it trains without it"
        )
    if lacking:
        notes.append(f"no rows in some folds of {_named(lacking)}")
    return notes


def encode_column(
    problem: FoldProblem, old: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, int]:
    """The folds that a column gives, -1 where it is blank, and their number.

    Raises:
        DataError: fewer than two folds, or other folds than old rows have.
    """
    values = pd.Series(problem.column, dtype=object)
    values = values.mask(values.isna() | (values == ""), None)
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().equals(values.notna()):
        values = numbers
    codes, labels = pd.factorize(values, sort=True)
    if len(labels) < 2:
        raise DataError(f"the fold column holds {len(labels)} fold(s), at least 2 are needed")
    if len(labels) != problem.num_folds:
        notes.append(f"{len(labels)} folds as in the column, not the {problem.num_folds} asked for")
    if list(labels) != list(range(len(labels))):
        shown = ", ".join(str(label) for label in labels[:_MAX_NAMED])
        notes.append(f"the fold column's values {shown} became folds 0, 1, ... in this order")
    moved = np.flatnonzero((old >= 0) & (codes >= 0) & (old != codes))
    if len(moved):
        raise DataError(
            f"the fold column puts {len(moved)} old rows into other folds than folds.csv: "
            + _named([str(name) for name in problem.ids[moved]]),
            remedy="undo the change in the column, or delete folds.csv for new folds and runs",
        )
    return codes.astype(np.int64), len(labels)


def _wrong_settings(problem: FoldProblem) -> list[str]:
    scheme, strata = problem.scheme, problem.strata
    wrong = []
    if problem.num_folds < 2:
        wrong.append(f"folds.count: at least 2 are needed, found {problem.num_folds}")
    needs = {
        "stratified": ("a target", strata is not None or problem.values is not None),
        "group": ("a group column or duplicates", problem.groups is not None),
        "stratified_group": (
            "a target, and a group column or duplicates",
            problem.groups is not None and (strata is not None or problem.values is not None),
        ),
        "multilabel_stratified": ("0/1 labels", strata is not None and strata.ndim == 2),
        "time_blocks": ("an order column", problem.order is not None),
        "column": ("a fold column", problem.column is not None),
    }
    what, given = needs[scheme]
    if not given:
        wrong.append(f"folds.scheme: {scheme} needs {what}, and there is none")
    if problem.gap < 0 or (problem.gap > 0 and scheme != "time_blocks"):
        wrong.append(
            f"folds.gap: {problem.gap:g} cannot be honoured: it must be 0 or more, "
            f"and goes with time_blocks only, found scheme {scheme}"
        )
    if problem.column is not None and scheme != "column":
        wrong.append(f"folds.column: goes with scheme column only, found {scheme}")
    return wrong


def _wrong_rows(problem: FoldProblem) -> list[str]:
    ids = problem.ids
    if not len(ids):
        return ["there are no rows to make folds of"]
    wrong = []
    if len(set(ids.tolist())) < len(ids):
        repeated = pd.unique(ids[pd.Series(ids).duplicated().to_numpy()])
        wrong.append(f"{len(repeated)} ids are there more than once: {_named(repeated)}")
    for name in ("strata", "values", "order"):
        array = getattr(problem, name)
        if array is None or (name == "order" and problem.scheme != "time_blocks"):
            continue
        missing = pd.isna(array).reshape(len(ids), -1).any(axis=1)
        if name != "strata":
            missing |= np.isinf(array)
        if missing.any():
            what = {"strata": "target", "values": "target", "order": "order"}[name]
            wrong.append(f"{missing.sum()} rows have no {what}: {_named(ids[missing])}")
    negative = [name for name, fold in problem.existing.items() if fold < 0]
    if negative:
        wrong.append(f"{len(negative)} stored folds are negative: {_named(negative)}")
    return wrong


def _unit_word(problem: FoldProblem) -> str:
    if problem.groups is not None:
        return "groups"
    return "moments" if problem.scheme == "time_blocks" else "rows"


def _named(names: Sequence[str] | np.ndarray) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(map(str, names[:_MAX_NAMED])) + more
