"""Groups that grow as pairs of rows are linked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


class Links:
    """Rows in groups, each alone at first; linking is by whole arrays.

    >>> links = Links(4)
    >>> links.join(np.array([[0, 2], [2, 3]]))
    >>> links.groups().tolist()
    [0, 1, 0, 0]
    """

    def __init__(self, num: int) -> None:
        self._parent = np.arange(num)

    def apart(self, pairs: np.ndarray) -> np.ndarray:
        """(P,) bool, whether the two rows of each pair are in different groups."""
        first, second = self._roots(pairs).T
        return np.asarray(first != second)

    def join(self, pairs: np.ndarray) -> None:
        """Make one group of the groups of each pair, (P, 2)."""
        roots = self._roots(pairs)
        roots = roots[roots[:, 0] != roots[:, 1]]
        if not len(roots):
            return
        nodes, place = np.unique(roots, return_inverse=True)
        first, second = place.reshape(-1, 2).T
        graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(len(nodes), len(nodes)))
        component = connected_components(graph, directed=False)[1]
        lowest = np.unique(component, return_index=True)[1]
        self._parent[nodes] = nodes[lowest[component]]

    def groups(self) -> np.ndarray:
        """(N,) int64 group of each row, from 0 in order of first appearance."""
        return pd.factorize(self._roots(np.arange(len(self._parent))))[0].astype(np.int64)

    def _roots(self, rows: np.ndarray) -> np.ndarray:
        roots = self._parent[rows]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        self._parent[rows] = roots  # The way is short next time.
        return np.asarray(roots)
