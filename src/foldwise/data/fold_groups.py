"""What must share a fold (connected components of groupings) and what a number is balanced by."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def merge_groups(*groupings: np.ndarray) -> np.ndarray:
    """Rows that share a value in any grouping, directly or through others, become one group.

    Args:
        groupings: each (N,) of any hashable values; NaN, None and "" mean a group of its own.

    Returns:
        (N,) int64 group numbers, dense from 0 in order of first appearance.

    >>> merge_groups(np.array(["a", "a", "b", ""]), np.array([1, 2, 2, 3]))
    array([0, 0, 0, 1])
    """
    assert groupings, "at least one grouping"
    num_rows = len(groupings[0])
    row_parts, node_parts, num_nodes = [], [], num_rows
    for grouping in groupings:
        assert len(grouping) == num_rows, (len(grouping), num_rows)
        codes = _codes(grouping)
        rows = np.flatnonzero(codes >= 0)
        row_parts.append(rows)
        node_parts.append(codes[rows] + num_nodes)
        num_nodes += int(codes.max(initial=-1)) + 1
    # A graph of rows and group values: one edge a row and grouping, however large the groups.
    rows, nodes = np.concatenate(row_parts), np.concatenate(node_parts)
    graph = coo_matrix((np.ones(len(rows), dtype=bool), (rows, nodes)), (num_nodes, num_nodes))
    components = connected_components(graph, directed=False)[1][:num_rows]
    numbers: np.ndarray = pd.factorize(components)[0].astype(np.int64)
    return numbers


def quantile_bins(values: np.ndarray, *, num_bins: int = 10) -> np.ndarray:
    """Bins of about equally many rows, to stratify a number by; equal values share a bin.

    Args:
        values: (N,) finite numbers.
        num_bins: bins wanted; ties can make it fewer.

    Returns:
        (N,) int64 in [0, number of bins), in the order of the values.

    >>> quantile_bins(np.array([5.0, 1.0, 2.0, 9.0]), num_bins=2)
    array([1, 0, 0, 1])
    """
    assert num_bins >= 1, num_bins
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    borders = np.quantile(values, np.arange(1, num_bins) / num_bins)
    raw = np.searchsorted(borders, values, side="right")
    return np.unique(raw, return_inverse=True)[1].astype(np.int64)


def _codes(grouping: np.ndarray) -> np.ndarray:
    values = pd.Series(grouping, dtype=object)
    blank = values.isna() | (values == "")
    return pd.factorize(values.mask(blank, None))[0].astype(np.int64)
