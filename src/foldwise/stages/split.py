"""Puts train rows into folds, once: rows that have a fold keep it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldwise.config.plan import FoldsConfig, Plan
from foldwise.config.writing import fingerprint
from foldwise.data.fold_groups import merge_groups
from foldwise.data.fold_order import check_one_clock, read_order
from foldwise.data.fold_problem import FoldProblem, FoldResult, Scheme
from foldwise.data.folds import make_folds
from foldwise.data.folds_file import folds_hash, read_folds, write_folds
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.publish import publish_text
from foldwise.stages.audit import audit
from foldwise.stages.display import Display
from foldwise.stages.recipes import load_plan
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem, open_problem


@dataclass(frozen=True)
class SplitResult:
    """What `split` did.

    Attributes:
        result: folds, notes and class shares; None if nothing had to be done.
        scheme: how rows were spread.
    """

    result: FoldResult | None
    scheme: str


def split(
    home: Home,
    *,
    plan: Plan | None = None,
    problem: Problem | None = None,
    display: Display | None = None,
) -> SplitResult:
    """Write `folds.csv` and, where rows hang together, `groups.csv`.

    `folds.csv` only grows: rows that are not in the table now (taken out, or their image is
    damaged) keep their line, and so their fold when they come back.

    Args:
        home: the competition.
        plan: says how rows are spread; None: `plan.yaml`.
        problem: if it is already open.
        display: where the table is shown.

    Raises:
        ConfigError: the scheme asks for a column that is not there.
        DataError: nothing to validate on, or an order that is no clock for all rows.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    config = (plan or load_plan(home)).folds
    groups = row_groups(problem, config, show)
    scheme = _scheme(problem, config, groups)
    inputs = {
        "config": config.model_dump(mode="json"),
        "rows": fingerprint([*problem.train.ids, problem.target.tobytes().hex()]),
        "groups": None if groups is None else fingerprint(groups.tolist()),
        "folds": fingerprint(read_folds(home.folds)) if home.folds.exists() else None,
    }
    written = {home.folds: True, home.groups: groups is not None, home.gaps: config.gap > 0}
    if home.is_fresh("split", inputs, *(path for path, is_made in written.items() if is_made)):
        return SplitResult(None, scheme)
    existing = read_folds(home.folds) if home.folds.exists() else {}
    if groups is not None and not existing:
        _check_several(problem, groups)
    result = make_folds(_fold_problem(problem, config, groups, scheme, existing))
    grown = {**existing, **dict(zip(problem.train.ids, result.folds.tolist(), strict=True))}
    write_folds(home.folds, grown.keys(), grown.values())
    _write_groups(home, problem, groups)
    _write_gaps(home, problem, result)
    inputs["folds"] = fingerprint(read_folds(home.folds))
    home.set_fresh("split", inputs)
    _tell(show, problem, result, scheme, existing)
    return SplitResult(result, scheme)


def row_groups(problem: Problem, config: FoldsConfig, show: Display) -> np.ndarray | None:
    """(N,) group numbers of the train rows from group columns and duplicates; None: all alone."""
    groupings = list(problem.group_columns)
    if config.duplicates == "group":
        found = audit(problem.home, problem=problem, display=show)["duplicates"]
        number = dict(zip(found["ids"], found["groups"], strict=True))
        groupings.append(np.array([number[name] for name in problem.train.ids]))
    if not groupings:
        return None
    groups = merge_groups(*groupings)
    return None if len(np.unique(groups)) == len(groups) else groups


def inner_rows(problem: Problem, rows: np.ndarray, seed: int) -> np.ndarray:
    """A fifth of some train rows, by class and group, to choose an epoch on.

    Args:
        problem: with groups.
        rows: positions of the train rows to choose from.
        seed: of the choice.

    Returns:
        (n,) bool over `rows`.
    """
    strata = problem.task.strata(problem.target)[rows]
    has_classes = problem.task.has_classes
    result = make_folds(
        FoldProblem(
            ids=problem.train.ids[rows],
            num_folds=5,
            scheme=_scheme(problem, FoldsConfig(), problem.groups),
            strata=strata if has_classes else None,
            values=None if has_classes else strata,
            groups=None if problem.groups is None else problem.groups[rows],
            seed=seed,
        )
    )
    return np.asarray(result.folds == 0)


def _check_several(problem: Problem, groups: np.ndarray) -> None:
    """Say what made one group of all rows: the columns or the duplicates."""
    if len(np.unique(groups)) > 1:
        return
    columns = ", ".join(problem.competition.columns.group)
    what = f"{len(groups)} train rows, all in 1 group"
    if columns and len(np.unique(merge_groups(*problem.group_columns))) == 1:
        raise DataError(
            f"{what} by columns.group ({columns}): no fold can be held out",
            remedy="correct columns.group: a group is what must not be split, not all rows",
        )
    together = f", together with columns.group ({columns})" if columns else ""
    raise DataError(
        f"{what} of (near) duplicate images{together}: no fold can be held out",
        remedy=f"look at the pairs in {problem.home.audit.name}; if these images are no copies, "
        "write folds: {duplicates: ignore} into plan.yaml",
    )


def _scheme(problem: Problem, config: FoldsConfig, groups: np.ndarray | None) -> Scheme:
    if config.scheme != "auto":
        return config.scheme
    if problem.task.has_classes and not problem.task.one_of_classes:
        return "multilabel_stratified"
    return "stratified" if groups is None else "stratified_group"


def _fold_problem(
    problem: Problem,
    config: FoldsConfig,
    groups: np.ndarray | None,
    scheme: Scheme,
    existing: dict[str, int],
) -> FoldProblem:
    columns = problem.competition.columns
    column = order = None
    if scheme == "column":
        assert config.column is not None  # The plan was checked.
        column = np.array(_cells(problem, config.column), dtype=object)
    if scheme == "time_blocks":
        if columns.order is None:
            raise ConfigError(
                "plan.yaml: folds.scheme: time_blocks needs columns.order in competition.yaml"
            )
        order = read_order(_cells(problem, columns.order), column=columns.order)
        check_one_clock(order, problem.group_columns, column=columns.order)
    strata = problem.task.strata(problem.target)
    is_number = not problem.task.has_classes
    return FoldProblem(
        ids=problem.train.ids,
        num_folds=config.count,
        scheme=scheme,
        strata=None if is_number else strata,
        values=strata if is_number else None,
        class_names=problem.competition.classes,
        groups=groups,
        order=order,
        column=column,
        existing=existing,
        gap=config.gap,
        seed=config.seed,
    )


def _cells(problem: Problem, column: str) -> list[str]:
    if f"cell:{column}" not in problem.train.frame.columns:
        names = [str(name) for name in problem.train.frame.columns]
        known = [name.removeprefix("cell:") for name in names if name.startswith("cell:")]
        raise ConfigError(
            f"the train table has no column {column!r}", remedy=f"columns: {', '.join(known)}"
        )
    return problem.train.cells(column)


def _write_groups(home: Home, problem: Problem, groups: np.ndarray | None) -> None:
    if groups is None:
        home.groups.unlink(missing_ok=True)
        return
    frame = pd.DataFrame({"id": problem.train.ids, "group": groups.astype(str)})
    write_csv(home.groups, frame.sort_values("id"))


def _write_gaps(home: Home, problem: Problem, result: FoldResult) -> None:
    if result.gap_rows is None:
        home.gaps.unlink(missing_ok=True)
        return
    folds, rows = np.nonzero(result.gap_rows)
    lines = [f"{problem.train.ids[row]},{fold}\n" for fold, row in zip(folds, rows, strict=True)]
    publish_text(home.gaps, "id,fold\n" + "".join(lines))


def _tell(
    show: Display, problem: Problem, result: FoldResult, scheme: str, existing: dict[str, int]
) -> None:
    num_kept = sum(name in existing for name in problem.train.ids)
    kept = f", {num_kept} rows kept theirs" if existing else ""
    num_absent = len(existing) - num_kept
    absent = f" ({num_absent} more are not in the table now)" if num_absent else ""
    show.say(
        f"{result.num_folds} folds, {scheme}{kept}{absent}, hash "
        f"{folds_hash(problem.train.ids, result.folds)[:12]}; largest distance of a class's "
        f"share from that in all rows: {result.worst_share_error:.3f}"
    )
    show.say(result.shares.round(3).to_string())
    for note in result.notes:
        show.warn(note)
    for conflict in result.conflicts:
        show.warn(
            f"rows of one group lie in folds {', '.join(map(str, conflict.old_ids))}; new rows "
            f"{', '.join(conflict.new_ids[:5])} were put into fold {conflict.fold}. "
            "That leaks until folds.csv is deleted and made anew."
        )
