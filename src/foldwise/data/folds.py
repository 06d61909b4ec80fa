"""Folds made once that only grow: old rows keep theirs, groups stay whole, classes are shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from foldwise.data.fold_blocks import find_gap_rows, join_blocks, place_blocks
from foldwise.data.fold_checks import (
    check,
    check_gaps,
    choose_num_folds,
    encode_column,
    find_absent,
)
from foldwise.data.fold_groups import merge_groups, quantile_bins
from foldwise.data.fold_growth import fold_counts, place_groups, place_rows
from foldwise.data.fold_problem import FoldConflict, FoldProblem, FoldResult
from foldwise.data.fold_shares import encode_strata, share_table, sum_by_unit, worst_share_error

__all__ = ["FoldConflict", "FoldProblem", "FoldResult", "make_folds"]


def make_folds(problem: FoldProblem) -> FoldResult:
    """Assign every row to a fold.

    Old rows keep their fold. A new row joins the old rows of its group. New groups go to the
    neediest fold; under `time_blocks` to that of the old row nearest in time. No more folds are
    made than the rarest class has groups (at least 2; a class in one group is passed over, as no
    number of folds helps it), but where old rows have folds, their number stays.

    Raises:
        ConfigError: the scheme lacks what it needs, or a setting cannot be honoured (a gap
            that leaves a fold nothing to train with, too).
        DataError: repeated ids, missing strata or times, or nothing to validate on.
    """
    check(problem)
    by_id = np.argsort(problem.ids.astype(str), kind="stable")
    rows = _take(problem, by_id)
    notes: list[str] = []
    old, num_folds = _old_folds(rows, notes)
    units = _units(rows)
    counts, names = _strata(rows, units, num_folds)
    by_class = np.asarray((sum_by_unit(counts, units, units.max() + 1) > 0).sum(0)).ravel()
    if num_folds == 0:
        num_folds = choose_num_folds(rows, by_class, names, notes)
    folds, conflicts = _join_old_rows(rows.ids, old, units, notes)
    fresh = folds < 0
    if fresh.any():
        folds[fresh] = _place(rows, folds, units, counts, num_folds)
    held = fold_counts(counts, folds, num_folds)
    if rows.strata is not None:
        notes += find_absent(held, names, by_class)
    occurs = np.zeros((units.max() + 1, num_folds), dtype=bool)
    occurs[units, folds] = True
    shares = share_table(held, [*occurs.sum(0), len(occurs)], names)
    gaps = None
    if rows.gap > 0:
        assert rows.order is not None
        gaps = find_gap_rows(folds, rows.order, num_folds=num_folds, gap=rows.gap)
        check_gaps(folds, gaps, rows.gap)
    back = np.argsort(by_id)
    return FoldResult(
        folds=folds[back],
        num_folds=num_folds,
        notes=tuple(notes),
        conflicts=conflicts,
        shares=shares,
        worst_share_error=worst_share_error(shares),
        gap_rows=None if gaps is None else gaps[:, back],
    )


def _take(problem: FoldProblem, rows: np.ndarray) -> FoldProblem:
    def take(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[rows]

    return replace(
        problem,
        ids=problem.ids[rows],
        strata=take(problem.strata),
        values=take(problem.values),
        groups=take(problem.groups),
        order=take(problem.order),
        column=take(problem.column),
    )


def _old_folds(rows: FoldProblem, notes: list[str]) -> tuple[np.ndarray, int]:
    """The fold of each old row, -1 for new ones, and the number of folds that is fixed (or 0)."""
    old = np.full(len(rows.ids), -1, dtype=np.int64)
    if rows.existing:
        old[:] = [rows.existing.get(name, -1) for name in rows.ids.tolist()]
    stored = max(rows.existing.values(), default=-1) + 1
    if rows.column is not None:
        given, num_given = encode_column(rows, old, notes)
        return np.where(old >= 0, old, given), max(num_given, stored)
    if stored < 2:
        return old, 0
    if stored != rows.num_folds:
        notes.append(
            f"{stored} folds as before, not the {rows.num_folds} asked for: "
            "folds only grow; delete folds.csv for new ones"
        )
    return old, stored


def _units(rows: FoldProblem) -> np.ndarray:
    """(N,) what is placed as a whole: the groups; rows of one moment in time blocks; or rows."""
    if rows.groups is not None:
        return merge_groups(rows.groups)
    if rows.scheme == "time_blocks":
        assert rows.order is not None
        return merge_groups(rows.order)
    return np.arange(len(rows.ids))


def _strata(
    rows: FoldProblem, units: np.ndarray, num_folds: int
) -> tuple[csr_matrix, tuple[str, ...]]:
    if rows.strata is not None:
        return encode_strata(rows.strata, rows.class_names)
    if rows.values is None:
        return csr_matrix(np.ones((len(rows.ids), 1), dtype=np.int64)), ()
    num_bins = (int(units.max()) + 1) // (num_folds or rows.num_folds)
    counts, names = encode_strata(
        quantile_bins(rows.values, num_bins=int(np.clip(num_bins, 1, 10)))
    )
    return counts, tuple(f"bin {name}" for name in names)


def _join_old_rows(
    ids: np.ndarray, old: np.ndarray, units: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, tuple[FoldConflict, ...]]:
    """Give new rows the fold of their group's old rows; -1 where the group has none."""
    num_units = int(units.max()) + 1
    placed = np.flatnonzero(old >= 0)
    lowest = np.full(num_units, np.iinfo(np.int64).max)
    highest = np.full(num_units, -1)
    np.minimum.at(lowest, units[placed], old[placed])
    np.maximum.at(highest, units[placed], old[placed])
    conflicts = []
    for unit in np.flatnonzero((highest >= 0) & (lowest < highest)):
        members = np.flatnonzero(units == unit)
        fold = int(np.bincount(old[members][old[members] >= 0]).argmax())
        highest[unit] = fold
        by_fold = {int(k): tuple(ids[members[old[members] == k]]) for k in np.unique(old[members])}
        new_ids = by_fold.pop(-1, ())
        conflicts.append(FoldConflict(by_fold, new_ids, fold))
    if conflicts:
        notes.append(_describe(conflicts))
    return np.where(old >= 0, old, highest[units]), tuple(conflicts)


def _describe(conflicts: list[FoldConflict]) -> str:
    first = conflicts[0]
    held = "; ".join(f"fold {k}: {', '.join(v[:3])}" for k, v in first.old_ids.items())
    joined = f"; {', '.join(first.new_ids[:3])} put into fold {first.fold}" if first.new_ids else ""
    return f"{len(conflicts)} groups have old rows in several folds, so they leak: {held}{joined}"


def _place(
    rows: FoldProblem, folds: np.ndarray, units: np.ndarray, counts: csr_matrix, num_folds: int
) -> np.ndarray:
    """Folds of the rows that have none, in their order."""
    fresh, placed = np.flatnonzero(folds < 0), np.flatnonzero(folds >= 0)
    new_units, inverse = np.unique(units[fresh], return_inverse=True)
    num_units = len(new_units)
    if rows.scheme == "time_blocks":
        assert rows.order is not None
        if not len(placed):
            num_blocks = min(num_folds, num_units)
            return place_blocks(rows.order[fresh], inverse, num_folds=num_blocks)[inverse]
        start = np.full(num_units, np.inf)
        np.minimum.at(start, inverse, rows.order[fresh])
        return join_blocks(start, rows.order[placed], folds[placed])[inverse]
    if rows.scheme == "group":
        counts = counts[:, [-1]]
    held = fold_counts(counts[placed], folds[placed], num_folds)
    if num_units == len(fresh):
        return place_rows(counts[fresh], held, seed=rows.seed)
    grouped = sum_by_unit(counts[fresh], inverse, num_units)
    return place_groups(grouped, held, seed=rows.seed)[inverse]
