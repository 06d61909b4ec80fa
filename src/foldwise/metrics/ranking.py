"""Metrics of order: ROC AUC and mean average precision, each class against the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from foldwise.metrics.metric import Metric, Reweighted, divide, finite
from foldwise.row_weights import row_weights


def roc_auc(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Chance that a row of the class scores above one that is not; mean over classes.

    Ties count half. Classes without positives or without negatives are left out
    (`unscored_classes` names them). Two classes in two columns: the second column alone.

    Args:
        preds: (N, C) float, higher for surer; (N, 1) is the score of class 1 of two.
        target: (N,) int classes, or (N, C) 0/1.
        weight: (N,) float, or None for ones.

    Returns:
        Score in [0, 1]; 0.5 is chance.

    Raises:
        ValueError: shapes or classes do not fit, or no class has positives and negatives.

    Source: Hanley and McNeil (1982), "The meaning and use of the area under a receiver
    operating characteristic (ROC) curve", Radiology 143(1), 29-36.

    >>> roc_auc(np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([0, 0, 1, 1]))
    0.75
    """
    return prepare_roc_auc(preds, target)(weight)


def mean_average_precision(
    preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Unweighted mean of the classes' average precision.

    Average precision is the sum over distinct scores of precision times the recall gained, not
    interpolated. Classes without positives are left out (`unscored_classes` names them).

    Args:
        preds: (N, C) float, higher for surer; (N, 1) is the score of class 1 of two.
        target: (N,) int classes, or (N, C) 0/1.
        weight: (N,) float, or None for ones.

    Returns:
        Score in (0, 1]; chance is the mean share of positives.

    Raises:
        ValueError: shapes or classes do not fit, or no class has positives.
    """
    return prepare_mean_average_precision(preds, target)(weight)


def class_roc_auc(
    preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """ROC AUC of each column against the rest, (C,); NaN where it is undefined."""
    return _auc(_rank(*one_vs_rest(preds, target)), weight)


def class_average_precision(
    preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Average precision of each column against the rest, (C,); NaN without positives."""
    return _average_precision(_rank(*one_vs_rest(preds, target)), weight)


def unscored_classes(target: np.ndarray, num_classes: int) -> list[int]:
    """Classes without positives, which a ranking metric leaves out.

    Args:
        target: (N,) int classes, or (N, C) 0/1.
        num_classes: C.
    """
    hot = target if target.ndim == 2 else target[:, None] == np.arange(num_classes)
    return [int(index) for index in np.flatnonzero(~(hot > 0).any(axis=0))]


def prepare_roc_auc(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`roc_auc` as a function of the weights; sorts once."""
    scores, positive = one_vs_rest(preds, target)
    if target.ndim == 1 and scores.shape[1] == 2:
        scores, positive = scores[:, 1:], positive[:, 1:]
    ranked = _rank(scores, positive)
    return partial(_mean_of_defined, ranked, _auc, "positives and negatives")


def prepare_mean_average_precision(preds: np.ndarray, target: np.ndarray) -> Reweighted:
    """`mean_average_precision` as a function of the weights; sorts once."""
    ranked = _rank(*one_vs_rest(preds, target))
    return partial(_mean_of_defined, ranked, _average_precision, "positives")


def one_vs_rest(preds: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truth of each class against the rest.

    Args:
        preds: (N, C) float.
        target: (N,) int classes, or (N, C) 0/1.

    Returns:
        (N, C) float64 scores and (N, C) bool, C = 1 if preds have one column.

    Raises:
        ValueError: shapes or classes do not fit, or preds are not finite.
    """
    scores = finite(preds, what="preds")
    fits = scores.shape == target.shape if target.ndim == 2 else scores.shape[:1] == target.shape
    if scores.ndim != 2 or not fits:
        raise ValueError(f"preds have shape {scores.shape}, targets {target.shape}")
    if target.dtype.kind not in "iub":
        raise ValueError(f"targets must be whole numbers, found {target.dtype}")
    num_columns = scores.shape[1]
    num_values = 2 if target.ndim == 2 else max(2, num_columns)
    if target.size and (target.min() < 0 or target.max() >= num_values):
        raise ValueError(f"targets must be in [0, {num_values})")
    if target.ndim == 2:
        return scores, target > 0
    classes = np.arange(num_columns) if num_columns > 1 else np.array([1])
    return scores, target[:, None] == classes


@dataclass(frozen=True)
class _Ranked:
    """Rows of each class by falling score; P positives in all, at their places.

    Attributes:
        order: (C, N) row numbers.
        positive: (C, N) truth in that order.
        rows: (P,) row number of each positive.
        classes: (P,) its class.
        above: (P,) where a (C, N + 1) running sum, flat, has all that scores strictly above it.
        reached: (P,) the same with all that scores as high.
    """

    order: np.ndarray
    positive: np.ndarray
    rows: np.ndarray
    classes: np.ndarray
    above: np.ndarray
    reached: np.ndarray


def _rank(scores: np.ndarray, positive: np.ndarray) -> _Ranked:
    order = np.argsort(-scores.T, axis=1, kind="stable")
    ranked = np.take_along_axis(scores.T, order, axis=1)
    truth = np.take_along_axis(positive.T, order, axis=1)
    num_classes, num_rows = order.shape
    starts = np.ones((num_classes, num_rows + 1), dtype=bool)
    starts[:, 1:-1] = ranked[:, 1:] != ranked[:, :-1]
    places = np.arange(num_rows + 1)
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
    following = np.where(starts, places, num_rows)[:, ::-1]
    after = np.minimum.accumulate(following, axis=1)[:, ::-1][:, 1:]
    classes, at = np.nonzero(truth)
    offset = classes * (num_rows + 1)
    return _Ranked(
        order=order,
        positive=truth,
        rows=order[classes, at],
        classes=classes,
        above=offset + first[classes, at],
        reached=offset + after[classes, at],
    )


def _auc(ranked: _Ranked, weight: np.ndarray | None) -> np.ndarray:
    weights = row_weights(weight, ranked.order.shape[1])
    negatives = _running_sum(np.where(ranked.positive, 0.0, weights[ranked.order]))
    flat = negatives.ravel()
    own = weights[ranked.rows]
    # Negatives above a positive count against it, those level with it by half.
    lost = _per_class(ranked, own * (flat[ranked.above] + flat[ranked.reached]) / 2)
    pairs = _per_class(ranked, own) * negatives[:, -1]
    share = divide(lost, pairs, otherwise=np.nan)
    # Running sums of fractions may end an ulp outside.
    values: np.ndarray = np.clip(1 - share, 0, 1)
    return values


def _average_precision(ranked: _Ranked, weight: np.ndarray | None) -> np.ndarray:
    weights = row_weights(weight, ranked.order.shape[1])
    by_rank = weights[ranked.order]
    called = _running_sum(by_rank).ravel()[ranked.reached]
    found = _running_sum(by_rank * ranked.positive).ravel()[ranked.reached]
    own = weights[ranked.rows]
    precision = divide(found, called, otherwise=0.0)
    total = _per_class(ranked, own)
    gained = _per_class(ranked, own * precision)
    return divide(gained, total, otherwise=np.nan)


def _running_sum(by_rank: np.ndarray) -> np.ndarray:
    sums = np.zeros((by_rank.shape[0], by_rank.shape[1] + 1))
    np.cumsum(by_rank, axis=1, out=sums[:, 1:])
    return sums


def _per_class(ranked: _Ranked, values: np.ndarray) -> np.ndarray:
    return np.bincount(ranked.classes, weights=values, minlength=len(ranked.order))


def _mean_of_defined(
    ranked: _Ranked,
    score: Callable[[_Ranked, np.ndarray | None], np.ndarray],
    needs: str,
    weight: np.ndarray | None,
) -> float:
    values = score(ranked, weight)
    defined = values[~np.isnan(values)]
    if not len(defined):
        raise ValueError(f"no class has {needs}, so the metric is undefined")
    return float(defined.mean())


METRICS = {
    "roc_auc": Metric(
        roc_auc,
        higher_is_better=True,
        takes="scores",
        label="ROC AUC",
        words=(
            "roc auc",
            "roc-auc",
            "roc_auc",
            "auc-roc",
            "auroc",
            "auc",
            "area under the roc curve",
            "area under the receiver operating characteristic",
            "area under the receiver operating characteristic curve",
            "area under receiver operating characteristic curve",
        ),
        tasks=("multiclass", "multilabel"),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_roc_auc,
    ),
    "mean_average_precision": Metric(
        mean_average_precision,
        higher_is_better=True,
        takes="scores",
        label="mean average precision",
        # Not "map": a README says it of maps, and of mAP over boxes and MAP@k.
        words=(
            "mean average precision",
            "mean_average_precision",
            "macro average precision",
            "macro-averaged average precision",
        ),
        tasks=("multiclass", "multilabel"),
        lowest=0.0,
        highest=1.0,
        prepare=prepare_mean_average_precision,
    ),
}
