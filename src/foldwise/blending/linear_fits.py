"""Penalised linear fits for stacking: columns standardised, the penalty chosen by the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from foldwise import seeding

#: On squared coefficients of standardised columns, beside the mean loss (logistic: half of it).
RIDGE_PENALTIES = tuple(float(10.0**power) for power in range(2, -7, -1))
LOGISTIC_PENALTIES = tuple(float(10.0**power) for power in range(1, -5, -1))
#: With fewer rows the penalty is not chosen but `_UNCHOSEN`.
_MIN_ROWS = 8
_UNCHOSEN = 0.1
_NUM_FOLDS = 4
#: Enough to choose a penalty by; of more rows so many are drawn.
_MOST_ROWS = 20_000
_MAX_STEPS = 1000


@dataclass(frozen=True)
class LinearFit:
    """A linear model of P columns for O outputs.

    Attributes:
        coefficients: (P, O) float64 of the columns as they are.
        intercept: (O,).
        sizes: (P,) absolute coefficients of the standardised columns, summed over outputs.
        penalty: that was used.
        is_chosen: whether the rows chose it; else they were too few, or all of one class.
    """

    coefficients: np.ndarray
    intercept: np.ndarray
    sizes: np.ndarray
    penalty: float
    is_chosen: bool


def fit_ridge(columns: np.ndarray, truth: np.ndarray, shares: np.ndarray) -> LinearFit:
    """The least mean squared error with a penalty; that one by leave-one-out.

    Args:
        columns: (N, P) float64; a column without spread gets coefficient 0.
        truth: (N, O) float64.
        shares: (N,) of 0 or more that sum to 1; rows of share 0 are absent.
    """
    from sklearn.linear_model import Ridge, RidgeCV  # Here: it takes a second, and few need it.

    is_there = shares > 0
    num_rows, weights = int(is_there.sum()), shares[is_there] * is_there.sum()
    scale = _Standard.of(columns, shares)
    z, y = scale.standardised(columns[is_there]), truth[is_there]
    penalty, is_chosen = _UNCHOSEN, num_rows >= _MIN_ROWS
    if is_chosen:
        search = RidgeCV(alphas=num_rows * np.array(RIDGE_PENALTIES))
        penalty = float(search.fit(z, y, sample_weight=weights).alpha_) / num_rows
    found = Ridge(alpha=num_rows * penalty).fit(z, y, sample_weight=weights)
    coefficients = found.coef_.reshape(y.shape[1], -1).T
    return scale.fit(coefficients, found.intercept_, penalty, is_chosen)


def fit_logistic(
    columns: np.ndarray, classes: np.ndarray, num_classes: int, shares: np.ndarray
) -> LinearFit:
    """The least mean log loss with a penalty; that one by four inner folds of these rows.

    Args:
        columns: (N, P) float64; a column without spread gets coefficient 0.
        classes: (N,) int in [0, num_classes); a class without rows gets coefficients 0 and an
            intercept that gives it half a row's chance at most.
        num_classes: O.
        shares: (N,) of 0 or more that sum to 1; rows of share 0 are absent.
    """
    is_there = shares > 0
    weights, target = shares[is_there] * is_there.sum(), classes[is_there]
    scale = _Standard.of(columns, shares)
    z = scale.standardised(columns[is_there])
    penalty, is_chosen = _UNCHOSEN, len(z) >= _MIN_ROWS and len(np.unique(target)) > 1
    if is_chosen:
        penalty = _chosen_penalty(z, target, num_classes, weights)
    coefficients, intercept = _logistic(z, target, num_classes, weights, penalty)
    return scale.fit(coefficients, intercept, penalty, is_chosen)


@dataclass(frozen=True)
class _Standard:
    """Means and spreads of columns; a spread of 0 is 1, and such a column 0 everywhere."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, columns: np.ndarray, shares: np.ndarray) -> _Standard:
        mean = shares @ columns
        spread = np.sqrt(shares @ np.square(columns - mean))
        return cls(mean, np.where(spread > 1e-12 * (1.0 + np.abs(mean)), spread, np.inf))

    def standardised(self, columns: np.ndarray) -> np.ndarray:
        z: np.ndarray = (columns - self.mean) / self.spread
        return z

    def fit(
        self, coefficients: np.ndarray, intercept: np.ndarray, penalty: float, is_chosen: bool
    ) -> LinearFit:
        """The fit to standardised columns as one to the columns as they are."""
        plain = coefficients / self.spread[:, None]
        sizes = np.abs(coefficients).sum(axis=1)
        return LinearFit(plain, intercept - self.mean @ plain, sizes, penalty, is_chosen)


def _chosen_penalty(
    z: np.ndarray, target: np.ndarray, num_classes: int, weights: np.ndarray
) -> float:
    """The penalty with the least loss on held-out rows, in folds that share out the classes."""
    order = seeding.permutation(seeding.key("inner folds of a stack"), len(z))[:_MOST_ROWS]
    z, target, weights = z[order], target[order], weights[order]
    folds = np.empty(len(z), dtype=np.int64)
    folds[np.argsort(target, kind="stable")] = np.arange(len(z)) % _NUM_FOLDS
    losses = np.zeros(len(LOGISTIC_PENALTIES))
    for fold in range(_NUM_FOLDS):
        held, others = folds == fold, folds != fold
        for place, penalty in enumerate(LOGISTIC_PENALTIES):
            coefficients, intercept = _logistic(
                z[others], target[others], num_classes, weights[others], penalty
            )
            logits = z[held] @ coefficients + intercept
            loss = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), target[held]]
            losses[place] += weights[held] @ loss
    return LOGISTIC_PENALTIES[int(losses.argmin())]


def _logistic(
    z: np.ndarray, target: np.ndarray, num_classes: int, weights: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """(P, O) coefficients and (O,) intercept."""
    from sklearn.linear_model import LogisticRegression

    coefficients, intercept = np.zeros((z.shape[1], num_classes)), np.zeros(num_classes)
    present = np.unique(target)
    if len(present) > 1:
        model = LogisticRegression(
            C=1.0 / (penalty * weights.sum()), tol=1e-6, max_iter=_MAX_STEPS
        ).fit(z, target, sample_weight=weights)
        rows, ends = model.coef_, model.intercept_
        if len(present) == 2:  # One row for the second class; half of it for each, opposite.
            rows, ends = np.stack([-rows[0], rows[0]]) / 2, np.array([-ends[0], ends[0]]) / 2
        coefficients[:, present], intercept[present] = rows.T, ends
    absent = np.setdiff1d(np.arange(num_classes), present)
    reached = logsumexp(z @ coefficients[:, present] + intercept[present], axis=1).min()
    intercept[absent] = reached - np.log(2.0 * len(z))
    return coefficients, intercept
