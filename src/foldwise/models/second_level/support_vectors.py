"""Support vector machines on features: values by SVR, classes by one machine against the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from scipy.special import logsumexp

from foldwise.models.inner_folds import inner_folds
from foldwise.models.second_level.margins import calibrate
from foldwise.models.second_level.rows import Arrays, TrainRows, flat_logits

Positive = Annotated[float, Field(gt=0)]
_NUM_FOLDS = 4


def svr(
    train: TrainRows,
    *,
    C: Positive = 1.0,
    epsilon: Annotated[float, Field(ge=0)] = 0.1,
    kernel: Literal["rbf", "linear"] = "rbf",
    gamma: Literal["scale"] | Positive = "scale",
) -> Arrays:
    """Support vector regression; the target is standardised on the fold's rows and put back.

    Args:
        train: rows of one fold.
        C: how much an error costs beside the smoothness.
        epsilon: errors up to this many standard deviations of the target cost nothing.
        kernel: rbf, or linear.
        gamma: of the rbf kernel; scale: 1 / (P * variance of the rows).

    Returns:
        `vectors` (S, P) float32, `dual` (O, S), `intercept` (O,), `gamma` (0: linear kernel).

    Source: Drucker et al. (1996), "Support vector regression machines".
    """
    from sklearn.svm import SVR

    width = _gamma(train.rows, kernel, gamma)
    weight = train.weights
    mean = np.average(train.target, axis=0, weights=weight)
    spread = np.sqrt(np.average((train.target - mean) ** 2, axis=0, weights=weight))
    spread = np.where(spread > 0, spread, 1.0)
    machines = []
    for column in ((train.target - mean) / spread).T:
        machine = SVR(C=C, epsilon=epsilon, kernel=kernel, gamma=width or "scale")
        machines.append(machine.fit(train.rows, column, sample_weight=weight))
    arrays = _arrays(train.rows, machines, width)
    arrays["dual"] *= spread[:, None]
    arrays["intercept"] = arrays["intercept"] * spread + mean
    return arrays


def svc(
    train: TrainRows,
    *,
    C: Positive = 1.0,
    kernel: Literal["rbf", "linear"] = "rbf",
    gamma: Literal["scale"] | Positive = "scale",
) -> Arrays:
    """A support vector classifier for each class against the rest, their margins made logits.

    Slopes and offsets from margins to logits are fitted on margins of inner folds: those of the
    machine's own training rows are too good.

    Args:
        train: rows of one fold.
        C: how much a row on the wrong side costs.
        kernel: rbf, or linear.
        gamma: of the rbf kernel; scale: 1 / (P * variance of the rows).

    Returns:
        As `svr`, and `slope` (O,) and `offset` (O,) from margins to logits.

    Sources: Cortes and Vapnik (1995), "Support-vector networks"; Platt (1999), "Probabilistic
    outputs for support vector machines".
    """
    from sklearn.svm import SVC

    width = _gamma(train.rows, kernel, gamma)
    targets, weight = train.one_hot, train.weights

    def fitted(some: np.ndarray) -> Arrays:
        machines: list[Any] = []
        for column in targets[some].T:
            machine = SVC(C=C, kernel=kernel, gamma=width or "scale")
            is_open = 0 < column.sum() < len(column)
            machines.append(
                machine.fit(train.rows[some], column, sample_weight=weight[some])
                if is_open
                else None
            )
        return _arrays(train.rows[some], machines, width)

    margins = _held_out(train, targets, fitted)
    arrays = fitted(np.arange(len(train.rows)))
    arrays["slope"], arrays["offset"] = _calibrated(train, margins, targets, weight)
    return arrays


def support_vector_outputs(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """(N, P) rows → (N, O) values, or logits where the arrays say how margins become these."""
    vectors = arrays["vectors"].astype(np.float64)
    products = rows @ vectors.T
    gamma = float(arrays["gamma"][0])
    if gamma:
        squares = np.square(rows).sum(axis=1)[:, None] + np.square(vectors).sum(axis=1)
        products = np.exp(-gamma * np.maximum(squares - 2.0 * products, 0.0))
    found = products @ arrays["dual"].T + arrays["intercept"]
    if "slope" in arrays:
        found = found * arrays["slope"] + arrays["offset"]
    return np.asarray(found)


def _gamma(rows: np.ndarray, kernel: str, gamma: Literal["scale"] | float) -> float:
    """Width of the rbf kernel; 0 for a linear one."""
    if kernel == "linear":
        return 0.0
    if gamma != "scale":
        return gamma
    variance = float(rows.var())
    return 1.0 / (rows.shape[1] * variance) if variance > 0 else 1.0


def _arrays(rows: np.ndarray, machines: list[Any], gamma: float) -> Arrays:
    """Several machines over the union of their support vectors; None: one that gives 0."""
    used = [np.empty(0, int) if m is None else m.support_ for m in machines]
    every = np.unique(np.concatenate(used))
    dual = np.zeros((len(machines), len(every)))
    intercept = np.zeros(len(machines))
    for index, machine in enumerate(machines):
        if machine is not None:
            dual[index, np.searchsorted(every, machine.support_)] = machine.dual_coef_[0]
            intercept[index] = machine.intercept_[0]
    vectors = rows[every].astype(np.float32)
    return {
        "vectors": vectors,
        "dual": dual,
        "intercept": intercept,
        "gamma": np.array([gamma]),
    }


def _held_out(
    train: TrainRows, targets: np.ndarray, fitted: Callable[[np.ndarray], Arrays]
) -> np.ndarray:
    """(N, O) margins of machines that have not seen the row."""
    num_units = len(train.rows) if train.groups is None else len(np.unique(train.groups))
    if num_units < 2 * _NUM_FOLDS:
        every = np.arange(len(train.rows))
        return support_vector_outputs(fitted(every), train.rows)
    rarity = np.where(targets > 0.5, len(targets) + 1.0 - targets.sum(axis=0), 0.0)
    strata = np.where(rarity.any(axis=1), rarity.argmax(axis=1) + 1, 0)
    folds = inner_folds(strata, groups=train.groups, num_folds=_NUM_FOLDS, seed=train.seed)
    margins = np.zeros(targets.shape)
    for fold in range(_NUM_FOLDS):
        held = folds == fold
        margins[held] = support_vector_outputs(fitted(np.flatnonzero(~held)), train.rows[held])
    return margins


def _calibrated(
    train: TrainRows, margins: np.ndarray, targets: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(O,) slopes and offsets from margins to logits; those of constant outputs are flat."""
    num_rows, num_outputs = targets.shape
    seen = targets.sum(axis=0)
    slope, offset = np.zeros(num_outputs), flat_logits(seen / num_rows, num_rows)
    if train.kind == "softmax":
        present = np.flatnonzero(seen > 0)
        if len(present) > 1:
            fit = calibrate(margins[:, present], targets[:, present], weight, "softmax")
            slope[present], offset[present] = fit
            logits = margins[:, present] * slope[present] + offset[present]
            offset[seen == 0] = logsumexp(logits, axis=1).min() - np.log(2.0 * num_rows)
        return slope, offset
    for index in np.flatnonzero((seen > 0) & (seen < num_rows)):
        some = slice(index, index + 1)
        slope[some], offset[some] = calibrate(margins[:, some], targets[:, some], weight, "sigmoid")
    return slope, offset
