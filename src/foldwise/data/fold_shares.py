"""What each fold holds: the counts that folds are made from and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix


def encode_strata(
    strata: np.ndarray, class_names: Sequence[str] = ()
) -> tuple[csr_matrix, tuple[str, ...]]:
    """One column a class (or label), then a column of ones for rows in all.

    Args:
        strata: (N,) class of each row, or (N, L) 0/1 labels.
        class_names: name of each class index, or of the L labels; empty: their numbers.

    Returns:
        (N, C + 1) int64 of 0 and 1, and the names of the C classes that occur (or L labels).
    """
    num = len(strata)
    if strata.ndim == 2:
        rows, columns = np.nonzero(strata)
        names = tuple(class_names) or tuple(map(str, range(strata.shape[1])))
    else:
        values, columns = np.unique(strata, return_inverse=True)
        rows = np.arange(num)
        names = tuple(class_names[value] if class_names else str(value) for value in values)
    rows = np.concatenate([rows, np.arange(num)])
    columns = np.concatenate([columns, np.full(num, len(names))])
    ones = np.ones(len(rows), dtype=np.int64)
    return coo_matrix((ones, (rows, columns)), (num, len(names) + 1)).tocsr(), names


def sum_by_unit(counts: csr_matrix, units: np.ndarray, num_units: int) -> csr_matrix:
    """The rows' counts summed over the units they belong to, (U, C + 1)."""
    ones = np.ones(len(units), dtype=np.int64)
    belongs = coo_matrix((ones, (units, np.arange(len(units)))), (num_units, len(units)))
    summed = (belongs.tocsr() @ counts).tocsr()
    summed.sort_indices()
    return summed


def share_table(held: np.ndarray, groups: Sequence[int], names: Sequence[str]) -> pd.DataFrame:
    """Rows, groups and share of each class, a line a fold and one for all rows together.

    Args:
        held: (K, C + 1) int, rows of each class, and rows in all, in each fold.
        groups: K numbers of groups, then that of all rows.
        names: C class names.

    Returns:
        Index `fold` (0 ... K-1, "all"); columns `rows`, `groups`, then one a class with the
        share of the fold's rows that have it, in [0, 1].
    """
    lines = np.vstack([held, held.sum(0)])
    index = pd.Index([*map(str, range(len(held))), "all"], name="fold")
    shares = lines[:, :-1] / np.maximum(lines[:, -1:], 1)
    table = pd.DataFrame(shares, index=index, columns=list(names))
    table.insert(0, "rows", lines[:, -1])
    table.insert(1, "groups", np.asarray(groups, dtype=np.int64))
    return table


def worst_share_error(table: pd.DataFrame) -> float:
    """The largest distance between a class's share in a fold and in all rows, in [0, 1]."""
    shares = table.iloc[:, 2:].to_numpy(dtype=np.float64)
    return float(np.abs(shares[:-1] - shares[-1]).max(initial=0.0))
