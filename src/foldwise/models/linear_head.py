"""Solves the linear head on frozen features: logistic or ridge, its penalty chosen inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from foldwise.errors import DataError
from foldwise.models import cumulative, logistic, ridge
from foldwise.models.inner_folds import inner_folds
from foldwise.models.rotation import rotate

Kind = Literal["softmax", "sigmoid", "linear", "shared"]
_Path = Iterator[tuple[np.ndarray, np.ndarray]]

#: Tried from strong to weak: on the squared weights of standardised features, beside the mean loss.
PENALTIES = tuple(float(f"{x:.3g}") for x in np.geomspace(100.0, 1e-5, 11))
_UNCHOSEN = 0.1
_MIN_UNITS = 8
_NUM_FOLDS = 4
# Beyond this many numbers one held-out fold is enough to choose by, and four take minutes.
_LARGE = 20_000_000
_PATIENCE = 2
# A weaker penalty must lower the loss by this share of the strongest one's: less is noise, and
# the weakest penalties take most of the time.
_MARGIN = 1e-3
_NUM_BINS = 10


@dataclass(frozen=True)
class LinearHead:
    """An ordinary linear layer.

    Attributes:
        weight: (O, D) float32, on the features as they are; (1, D) where all outputs share it.
        bias: (O,) float32.
        penalty: on the squared weights of standardised features, beside the mean loss.
        note: how the penalty was chosen.
    """

    weight: np.ndarray
    bias: np.ndarray
    penalty: float
    note: str


def solve_head(
    features: np.ndarray,
    target: np.ndarray,
    kind: Kind,
    *,
    num_outputs: int | None = None,
    groups: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    seed: int = 0,
    penalty: float | None = None,
) -> LinearHead:
    """The head with the least penalised mean loss; the penalty by cross-validation on these rows.

    Features are standardised inside, and that is folded back into weight and bias. The penalty is
    on squared weights, half of it for logistic heads; biases are free.

    Args:
        features: (N, D) float.
        target: "softmax": (N,) int classes; "sigmoid" and "shared": (N, O) 0 or 1; "linear":
            (N, O) float.
        kind: multinomial logistic, a logistic per output, ridge, or logistics that share their
            weights.
        num_outputs: O; None: as the target has, which misses last classes without rows.
        groups: (N,) rows of one group stay together in the inner folds.
        sample_weight: (N,) at least 0; None: all equal.
        seed: of the inner folds.
        penalty: to be used; None: chosen.

    Returns:
        The head. A class without rows gets weight 0 and a bias that gives it at most half a row's
        chance on each of these rows.

    Raises:
        DataError: there are no rows, or a feature or target is not finite.

    Source: standardising and rotating leaves the optimum of an L2 penalty as it is, see Hastie
    and Tibshirani (2004), "Efficient quadratic regularization for expression arrays".
    """
    encoded = _encoded(target, kind, num_outputs)
    _check(features, encoded)
    row_weights = np.ones(len(features)) if sample_weight is None else np.asarray(sample_weight)
    # One thread: the same bits however many cores there are, and units that train side by side do
    # not wait for each other's threads (measured on two busy cores: 0.6 s in place of 8).
    with threadpool_limits(1, "blas"):
        rotation = rotate(features)
        if penalty is None:
            penalty, note = _choose(rotation.rows, encoded, row_weights, kind, groups, seed)
        else:
            note = f"penalty {penalty:g} as given"
        path = _path(rotation.rows, encoded, row_weights, kind, [penalty], tolerance=1e-6)
        weight, bias = rotation.back(*next(path))
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32), penalty, note)


def _choose(
    rows: np.ndarray,
    target: np.ndarray,
    row_weights: np.ndarray,
    kind: Kind,
    groups: np.ndarray | None,
    seed: int,
) -> tuple[float, str]:
    """The penalty with the least loss on held-out rows, and how it was found."""
    num_units = len(rows) if groups is None else len(np.unique(groups))
    if num_units < _MIN_UNITS:
        return _UNCHOSEN, f"penalty {_UNCHOSEN:g} as set: {num_units} rows or groups are too few"
    folds = inner_folds(_strata(target, kind), groups=groups, num_folds=_NUM_FOLDS, seed=seed)
    held_out = [folds == fold for fold in range(1 if rows.size > _LARGE else _NUM_FOLDS)]
    held_out = [held for held in held_out if row_weights[held].any() and row_weights[~held].any()]
    if not held_out:
        return _UNCHOSEN, f"penalty {_UNCHOSEN:g} as set: the weights leave no rows to hold out"
    if kind != "linear":
        rows = rows.astype(np.float32)  # Enough to choose by, in half the time.
    paths = [
        _path(rows[~held], target[~held], row_weights[~held], kind, PENALTIES, tolerance=1e-4)
        for held in held_out
    ]
    scores: list[float] = []
    best = 0
    for heads in zip(*paths, strict=True):
        parts = [
            row_weights[held] @ _losses(rows[held] @ weight + bias, target[held], kind)
            for held, (weight, bias) in zip(held_out, heads, strict=True)
        ]
        scores.append(sum(parts) / sum(row_weights[held].sum() for held in held_out))
        if scores[-1] < scores[best] - _MARGIN * scores[0]:
            best = len(scores) - 1
        elif len(scores) - 1 - best >= _PATIENCE:
            break
    note = f"penalty {PENALTIES[best]:g} by {len(held_out)} inner folds, loss {scores[best]:.4f}"
    if groups is not None:
        note += f", {num_units} groups kept together"
    return PENALTIES[best], note


def _path(
    rows: np.ndarray,
    target: np.ndarray,
    row_weights: np.ndarray,
    kind: Kind,
    penalties: Sequence[float],
    *,
    tolerance: float,
) -> _Path:
    if kind == "linear":
        return ridge.path(rows, target, row_weights, penalties)
    if kind == "shared":
        return cumulative.path(rows, target, row_weights, penalties, tolerance=tolerance)
    return logistic.path(rows, target, row_weights, penalties, link=kind, tolerance=tolerance)


def _losses(logits: np.ndarray, target: np.ndarray, kind: Kind) -> np.ndarray:
    if kind == "linear":
        return ridge.losses(logits, target)
    return logistic.losses(logits, target, link="softmax" if kind == "softmax" else "sigmoid")


def _encoded(target: np.ndarray, kind: Kind, num_outputs: int | None) -> np.ndarray:
    if kind != "softmax":
        assert target.ndim == 2, target.shape
        assert num_outputs in (None, target.shape[1]), (num_outputs, target.shape)
        return target.astype(np.float64)
    assert target.ndim == 1, target.shape
    num_classes = int(target.max(initial=0)) + 1 if num_outputs is None else num_outputs
    return np.asarray(np.eye(num_classes)[target])


def _strata(target: np.ndarray, kind: Kind) -> np.ndarray:
    """(N,) what the inner folds share out: classes, the rarest label of a row, or bins."""
    if kind == "softmax":
        return np.asarray(target.argmax(axis=1))
    if kind in ("sigmoid", "shared"):
        rarity = np.where(target > 0.5, len(target) + 1.0 - target.sum(axis=0), 0.0)
        return np.where(rarity.any(axis=1), rarity.argmax(axis=1) + 1, 0)
    ranks = np.argsort(np.argsort(target[:, 0], kind="stable"), kind="stable")
    return ranks * _NUM_BINS // len(target)


def _check(features: np.ndarray, target: np.ndarray) -> None:
    if not len(features):
        raise DataError("a head cannot be solved from no rows")
    assert len(features) == len(target), (len(features), len(target))
    for name, values in (("features", features), ("targets", target)):
        is_bad = ~np.isfinite(values).all(axis=1)
        if is_bad.any():
            raise DataError(
                f"the {name} of {is_bad.sum()} of {len(values)} rows are not finite, "
                f"the first is row {int(np.flatnonzero(is_bad)[0])}",
                remedy="look at these images, or use other weights or precision fp32",
            )
