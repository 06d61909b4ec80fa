"""The values that folds are made from and come back as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

Scheme = Literal[
    "stratified", "group", "stratified_group", "multilabel_stratified", "time_blocks", "column"
]


@dataclass(frozen=True)
class FoldProblem:
    """What folds are made from; all arrays in the same order of rows, which does not matter.

    Attributes:
        ids: (N,) str, unique.
        num_folds: folds wanted.
        scheme: how rows are spread. `group` evens out sizes only, `time_blocks` needs `order`,
            `column` takes the folds of `column`. Groups are kept whole under each scheme.
        strata: (N,) classes, or (N, L) 0/1 labels.
        values: (N,) float in place of strata: a number, balanced by its quantiles.
        class_names: name of each class index (or of the L labels), for notes and table.
        groups: (N,) what must share a fold; NaN, None and "" are groups of their own.
        order: (N,) float, time on one clock for all rows.
        column: (N,) fold given by the user; a blank row is placed as a new one.
        existing: fold of each old id; ids that are not in the table are left aside.
        gap: rows this near in `order` to a validation row are left out of training.
        seed: of the assignment.
    """

    ids: np.ndarray
    num_folds: int
    scheme: Scheme
    strata: np.ndarray | None = None
    values: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    order: np.ndarray | None = None
    column: np.ndarray | None = None
    existing: Mapping[str, int] = field(default_factory=dict)
    gap: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class FoldConflict:
    """One group whose old rows lie in several folds: it leaks until its folds are made anew.

    Attributes:
        old_ids: fold → ids of its old rows of this group.
        new_ids: rows that joined now.
        fold: where they were put: the fold with most old rows of the group, then the lowest.
    """

    old_ids: dict[int, tuple[str, ...]]
    new_ids: tuple[str, ...]
    fold: int


@dataclass(frozen=True)
class FoldResult:
    """The folds, and what is to be said about them.

    Attributes:
        folds: (N,) int64 in [0, num_folds), in the order of the problem's rows.
        num_folds: K, which may be less than asked for; `notes` says why.
        notes: sentences for the user.
        conflicts: groups whose old rows lie in several folds.
        shares: rows, groups and class shares of each fold (see `share_table`).
        worst_share_error: largest distance of a class's share in a fold from that in all rows.
        gap_rows: (K, N) bool, rows to leave out when training against fold k; None: no gap.
    """

    folds: np.ndarray
    num_folds: int
    notes: tuple[str, ...]
    conflicts: tuple[FoldConflict, ...]
    shares: pd.DataFrame
    worst_share_error: float
    gap_rows: np.ndarray | None
