"""Which members err alike: correlation of errors, clusters, and what to train next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from foldwise.blending.members import votes

#: Members whose errors correlate by this much on average form a cluster.
ALIKE = 0.8
#: By how much another formulation must bring errors apart to be advised.
MARGIN = 0.05
ADVICE = "train next: another formulation, not another backbone"
# Rows at a time: a block of 50 members and 5 classes is 16 MB.
_BLOCK = 8192


@dataclass(frozen=True)
class Make:
    """How a member was made: its formulation and its backbone."""

    formulation: str
    backbone: str


@dataclass(frozen=True)
class Diversity:
    """How alike members' errors are.

    Attributes:
        names: of the M members.
        correlation: (M, M) of their errors.
        order: members by position, so that neighbours are alike: rows of a heat map.
        clusters: positions of members that err alike, in that order.
        num_effective: as many members with unrelated errors would do as much good in a mean.
        within: mean correlation of members of one formulation and different backbones; None if
            there are no two such.
        across: mean correlation of members of different formulations; None likewise.
        advice: `ADVICE`, or None where the numbers do not say so.
    """

    names: tuple[str, ...]
    correlation: np.ndarray
    order: tuple[int, ...]
    clusters: tuple[tuple[int, ...], ...]
    num_effective: float
    within: float | None
    across: float | None
    advice: str | None

    def to_json(self) -> dict[str, Any]:
        """As JSON, members by name, correlations to four digits."""
        return {
            "names": list(self.names),
            "correlation": (np.round(self.correlation, 4) + 0.0).tolist(),
            "order": [self.names[member] for member in self.order],
            "clusters": [[self.names[member] for member in part] for part in self.clusters],
            "num_effective": round(self.num_effective, 2),
            "within_formulation": None if self.within is None else round(self.within, 4),
            "across_formulations": None if self.across is None else round(self.across, 4),
            "advice": self.advice,
        }


def diversity(
    scores: np.ndarray,
    target: np.ndarray,
    names: Sequence[str],
    folds: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    makes: Sequence[Make | None],
    comparable: np.ndarray,
) -> Diversity:
    """How alike members' errors are, and whether another formulation would help more.

    The advice is given if among comparable members whose make is known those of one formulation
    and different backbones err more alike than those of different formulations: by at least 0.05
    in mean correlation on all rows, and by something in every fold. Weak members are not asked:
    noise alone makes them unlike. Without both kinds of pairs, or with one fold, it cannot be
    known.

    Args:
        scores: (M, N, C) out-of-fold scores on the common scale.
        target: (N,) or (N, C).
        names: M names.
        folds: (N,) int.
        weight: (N,) how much each row counts; None: all alike.
        makes: of each member, None where it is not known.
        comparable: positions of members of comparable strength.
    """
    parts = [_sums(scores, target, folds == fold, weight) for fold in np.unique(folds)]
    tables = [_correlation(*part) for part in parts]
    total, first, second = parts[0]
    for part in parts[1:]:
        total, first, second = total + part[0], first + part[1], second + part[2]
    correlation = _correlation(total, first, second)
    order, clusters = _clusters(correlation)
    same, other = _pairs(makes, comparable)
    within, across = _mean_of(correlation, same), _mean_of(correlation, other)
    is_clear = (
        within is not None
        and across is not None
        and len(parts) > 1
        and within - across >= MARGIN
        and all(_apart(table, same, other) > 0 for table in tables)
    )
    return Diversity(
        tuple(names),
        correlation,
        order,
        clusters,
        _num_effective(correlation),
        within,
        across,
        ADVICE if is_clear else None,
    )


def _sums(
    scores: np.ndarray, target: np.ndarray, mask: np.ndarray, weight: np.ndarray | None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Of some rows: total weight, (M, C) sums of errors, (M, M) sums of their products.

    An error is score minus truth: for probabilities the truth is one-hot, so it is what the
    member holds too much or too little of a class; for grades and numbers it is the residual.
    """
    num_members, _, num_columns = scores.shape
    total, first = 0.0, np.zeros((num_members, num_columns))
    second = np.zeros((num_members, num_members))
    rows = np.flatnonzero(mask)
    for start in range(0, len(rows), _BLOCK):
        at = rows[start : start + _BLOCK]
        weights = np.ones(len(at)) if weight is None else weight[at]
        errors = scores[:, at] - votes(target[at], num_columns)
        total += float(weights.sum())
        first += np.einsum("n,mnc->mc", weights, errors)
        errors *= np.sqrt(weights)[:, None]
        flat = errors.reshape(num_members, -1)
        second += flat @ flat.T
    return total, first, second


def _correlation(total: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(M, M), each column's errors about their own mean; 0 for a member whose errors are equal."""
    mean = first / total
    power = second / total
    covariance = power - mean @ mean.T
    variance = covariance.diagonal()
    # What is left of equal errors when their mean is taken off is rounding.
    moves = variance > 1e-12 * power.diagonal()
    spread = np.sqrt(np.where(moves, variance, 1.0))
    found = np.where(np.outer(moves, moves), covariance / np.outer(spread, spread), 0.0)
    np.fill_diagonal(found, 1.0)
    return np.clip((found + found.T) / 2, -1.0, 1.0)


def _clusters(correlation: np.ndarray) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """An order with neighbours alike, and the members that average linkage puts together."""
    if len(correlation) == 1:
        return (0,), ((0,),)
    apart = squareform(1.0 - correlation, checks=False)
    tree = optimal_leaf_ordering(linkage(apart, "average"), apart)
    order = tuple(leaves_list(tree).tolist())
    labels = fcluster(tree, 1.0 - ALIKE, "distance")
    found = {label: [m for m in order if labels[m] == label] for label in labels[list(order)]}
    return order, tuple(tuple(part) for part in found.values())


def _num_effective(correlation: np.ndarray) -> float:
    """1 / mean correlation: the mean's error is smaller by that much; at most all of them."""
    return min(float(len(correlation)), 1.0 / max(float(correlation.mean()), 1e-12))


_Pairs = list[tuple[int, int]]


def _pairs(makes: Sequence[Make | None], comparable: np.ndarray) -> tuple[_Pairs, _Pairs]:
    """Pairs of one formulation and two backbones, and pairs of two formulations."""
    same: _Pairs = []
    other: _Pairs = []
    for a, b in combinations(comparable.tolist(), 2):
        first, second = makes[a], makes[b]
        if first is None or second is None:
            continue
        if first.formulation != second.formulation:
            other.append((a, b))
        elif first.backbone != second.backbone:
            same.append((a, b))
    return same, other


def _mean_of(correlation: np.ndarray, pairs: _Pairs) -> float | None:
    return float(np.mean([correlation[pair] for pair in pairs])) if pairs else None


def _apart(correlation: np.ndarray, same: _Pairs, other: _Pairs) -> float:
    within, across = _mean_of(correlation, same), _mean_of(correlation, other)
    assert within is not None
    assert across is not None
    return within - across
