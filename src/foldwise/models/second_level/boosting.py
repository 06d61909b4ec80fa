"""Gradient-boosted trees on features, their nodes kept as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from foldwise.errors import FoldwiseError
from foldwise.models.second_level.rows import Arrays, TrainRows, flat_logits, with_absent

_CHECKED_ROWS = 64


def boosting(
    train: TrainRows,
    *,
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1,
    max_iter: Annotated[int, Field(ge=1)] = 100,
    max_leaf_nodes: Annotated[int, Field(ge=2)] = 31,
    max_depth: Annotated[int, Field(ge=1)] | None = None,
    min_samples_leaf: Annotated[int, Field(ge=1)] = 20,
    l2_regularization: Annotated[float, Field(ge=0)] = 0.0,
    max_features: Annotated[float, Field(gt=0, le=1)] = 1.0,
) -> Arrays:
    """Gradient boosting of trees over binned features, as scikit-learn's HistGradientBoosting.

    Args:
        train: rows of one fold.
        learning_rate: share of each tree that counts.
        max_iter: trees per output.
        max_leaf_nodes: of a tree.
        max_depth: of a tree; null: no limit.
        min_samples_leaf: rows in a leaf.
        l2_regularization: on the leaves' values.
        max_features: share of the features that each split is chosen from.

    Returns:
        Nodes of all trees, one after the other: `feature`, `threshold`, `left`, `right` (places
        of the children; a leaf's own place) and `value`; `roots` (T,) and `column` (T,) of the
        trees, `baseline` (K,) and `outputs` (K,) that the columns belong to; `present`, outputs
        that had rows; `flat` (O,), logits of those that could not be learned; `num_rows`.

    Source: Friedman (2001), "Greedy function approximation: a gradient boosting machine"; Ke et
    al. (2017), "LightGBM: a highly efficient gradient boosting decision tree".
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    options = {
        "learning_rate": learning_rate,
        "max_iter": max_iter,
        "max_leaf_nodes": max_leaf_nodes,
        "max_depth": max_depth,
        "min_samples_leaf": min_samples_leaf,
        "l2_regularization": l2_regularization,
        "max_features": max_features,
        "early_stopping": False,
        "random_state": train.seed,
    }
    num_rows, weight = len(train.rows), train.weight
    share = train.one_hot.mean(axis=0)
    if train.kind == "linear":
        present = np.arange(train.num_outputs)
        machines = [
            HistGradientBoostingRegressor(**options).fit(train.rows, column, weight)
            for column in train.target.T
        ]
    elif train.kind == "sigmoid":
        present = np.flatnonzero((share > 0) & (share < 1))
        machines = [
            HistGradientBoostingClassifier(**options).fit(train.rows, column, weight)
            for column in train.target[:, present].T
        ]
    else:
        present = np.flatnonzero(share > 0)
        machines = (
            [HistGradientBoostingClassifier(**options).fit(train.rows, train.target, weight)]
            if len(present) > 1
            else []
        )
    # Two classes have one logit between them, that of the second.
    outputs = present[1:] if train.kind == "softmax" and len(present) == 2 else present
    arrays = {
        **_trees(machines),
        "outputs": outputs if machines else np.empty(0, int),
        "present": present,
        "flat": flat_logits(share, num_rows) if train.kind != "linear" else np.zeros(len(share)),
        "is_softmax": np.array([train.kind == "softmax"], dtype=np.int64),
        "num_rows": np.array([num_rows], dtype=np.int64),
    }
    _check(arrays, machines, train.rows[:_CHECKED_ROWS])
    return arrays


def tree_outputs(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """(N, P) rows → (N, O) logits or values."""
    raw = _raw(arrays, rows)
    num_outputs = len(arrays["flat"])
    if not arrays["is_softmax"][0]:
        found = np.repeat(arrays["flat"][None], len(rows), axis=0)
        found[:, arrays["outputs"]] = raw
        return np.asarray(found)
    present = arrays["present"]
    logits = np.zeros((len(rows), len(present)))
    logits[:, np.searchsorted(present, arrays["outputs"])] = raw
    return with_absent(logits, present, num_outputs, int(arrays["num_rows"][0]))


def _raw(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """(N, K) baseline and the trees' values, added in the order the trees were grown."""
    places = np.repeat(arrays["roots"][None], len(rows), axis=0)
    at = np.arange(len(rows))[:, None]
    while True:
        goes_left = rows[at, arrays["feature"][places]] <= arrays["threshold"][places]
        below = np.where(goes_left, arrays["left"][places], arrays["right"][places])
        if (below == places).all():
            break
        places = below
    values = arrays["value"][places]
    raw = np.repeat(arrays["baseline"][None], len(rows), axis=0)
    for tree, column in enumerate(arrays["column"]):
        raw[:, column] += values[:, tree]
    return np.asarray(raw)


def _trees(machines: Sequence[Any]) -> Arrays:
    """The nodes of all trees; `column` (T,) says which number of `_raw` a tree adds to."""
    parts: dict[str, list[np.ndarray]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "value")
    }
    roots, columns, baselines = [], [], []
    num_nodes = num_columns = 0
    for machine in machines:
        baseline = np.asarray(machine._baseline_prediction, dtype=np.float64).ravel()
        for iteration in machine._predictors:
            for column, tree in enumerate(iteration):
                nodes = tree.nodes
                own = np.arange(num_nodes, num_nodes + len(nodes))
                is_leaf = nodes["is_leaf"].astype(bool)
                parts["feature"].append(np.where(is_leaf, 0, nodes["feature_idx"]))
                parts["threshold"].append(np.where(is_leaf, 0.0, nodes["num_threshold"]))
                for side in ("left", "right"):
                    parts[side].append(np.where(is_leaf, own, num_nodes + nodes[side]))
                parts["value"].append(nodes["value"])
                roots.append(num_nodes)
                columns.append(num_columns + column)
                num_nodes += len(nodes)
        baselines.append(baseline)
        num_columns += len(baseline)
    whole = ("feature", "left", "right")
    nodes_of = {
        name: np.concatenate(found or [np.zeros(0)]).astype(
            np.int64 if name in whole else np.float64
        )
        for name, found in parts.items()
    }
    return {
        **nodes_of,
        "roots": np.array(roots, dtype=np.int64),
        "column": np.array(columns, dtype=np.int64),
        "baseline": np.concatenate(baselines or [np.zeros(0)]),
    }


def _check(arrays: Arrays, machines: Sequence[Any], rows: np.ndarray) -> None:
    """Trees are read from what scikit-learn does not promise to keep as it is.

    Raises:
        FoldwiseError: the arrays do not give what the library gives.
    """
    theirs = [np.asarray(m._raw_predict(rows)).reshape(len(rows), -1) for m in machines]
    wanted = np.concatenate(theirs or [np.zeros((len(rows), 0))], axis=1)
    if not np.allclose(_raw(arrays, rows), wanted, rtol=0.0, atol=1e-9):
        raise FoldwiseError(
            "this version of scikit-learn keeps its boosted trees in another form than foldwise "
            "reads",
            remedy="use another head, or the version of scikit-learn in constraints.txt",
        )
