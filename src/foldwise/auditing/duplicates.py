"""Exact and near duplicate images: candidates from hashes, each confirmed on pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from foldwise.auditing.likeness import fit_likeness, measure_likeness

NearPairs = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class DuplicateReport:
    """What `find_duplicates` found; rows are named by position.

    Attributes:
        pairs: columns i < j, distance (bits of the perceptual hash), mean_abs_difference (levels
            of 0-255), likeness (in [-1, 1]), kind ("exact" or "near"). Images of equal content
            are listed as pairs with the first of them, and near pairs between first ones.
        groups: (N,) int64, rows linked by any pairs share a number; a row without is alone.
        twins: pairs whose splits differ; one line for each two contents.
        label_conflicts: pairs whose labels differ; one line for each two contents and labels.
        num_candidates: pairs near by hash whose pixels were looked at.
    """

    pairs: pd.DataFrame
    groups: np.ndarray
    twins: pd.DataFrame
    label_conflicts: pd.DataFrame
    num_candidates: int


def find_duplicates(
    sha256: Sequence[str],
    phashes: np.ndarray,
    thumbs: np.ndarray,
    near_pairs: NearPairs,
    *,
    splits: Sequence[str] | None = None,
    labels: Sequence[object] | None = None,
    max_distance: int = 6,
    min_likeness: float = 0.82,
    max_difference: float = 16.0,
) -> DuplicateReport:
    """Find duplicate images among all rows, train and test together.

    A near pair is within `max_distance` bits, at least `min_likeness` alike (see
    `measure_likeness`), and within `max_difference` levels a pixel. Mirrored and cropped copies
    are not looked for.

    Args:
        sha256: N hashes of the files' content.
        phashes: (N,) uint64 perceptual hashes.
        thumbs: (N, 32, 32, 3) uint8.
        near_pairs: called as (hashes, max_distance), gives (P, 2) positions of all pairs of
            hashes at most that many bits apart.
        splits: "train" or "test" of each row, for the twins.
        labels: label of each row, None or NaN where unknown, for the label conflicts.
        max_distance: bits of the 64.
        min_likeness: in [-1, 1].
        max_difference: mean absolute difference, in levels of 0-255.

    Returns:
        Pairs, groups, twins and label conflicts.
    """
    num = len(sha256)
    assert thumbs.shape[:1] == phashes.shape == (num,), (thumbs.shape, phashes.shape, num)
    content, first = _contents(sha256)
    exact = _exact_pairs(content, first)
    candidates = np.asarray(near_pairs(phashes[first], max_distance), dtype=np.int64)
    near, num_candidates = _confirmed(
        first[candidates.reshape(-1, 2)], first, phashes, thumbs, min_likeness, max_difference
    )
    pairs = pd.concat([exact, near], ignore_index=True) if len(near) else exact
    links = coo_matrix((np.ones(len(pairs)), (pairs["i"], pairs["j"])), shape=(num, num))
    groups = pd.factorize(connected_components(links, directed=False)[1])[0].astype(np.int64)
    return DuplicateReport(
        pairs=pairs,
        groups=groups,
        twins=_differing(near, content, first, splits),
        label_conflicts=_differing(near, content, first, labels),
        num_candidates=num_candidates,
    )


def _contents(sha256: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number of each row's content, and the first row of each content."""
    content = pd.factorize(np.asarray(sha256, dtype=object))[0]
    return content, np.unique(content, return_index=True)[1]


def _exact_pairs(content: np.ndarray, first: np.ndarray) -> pd.DataFrame:
    rows = np.flatnonzero(first[content] != np.arange(len(content)))
    return _table(first[content[rows]], rows, "exact")


def _confirmed(
    pairs: np.ndarray,
    first: np.ndarray,
    phashes: np.ndarray,
    thumbs: np.ndarray,
    min_likeness: float,
    max_difference: float,
) -> tuple[pd.DataFrame, int]:
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    likeness, difference = measure_likeness(fit_likeness(thumbs[first]), thumbs, pairs)
    keep = (likeness >= min_likeness) & (difference <= max_difference)
    i, j = pairs[keep].T
    distance = np.bitwise_count(phashes[i] ^ phashes[j])
    return _table(i, j, "near", distance, difference[keep], likeness[keep]), len(pairs)


def _table(
    i: np.ndarray,
    j: np.ndarray,
    kind: str,
    distance: np.ndarray | int = 0,
    difference: np.ndarray | float = 0.0,
    likeness: np.ndarray | float = 1.0,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": i.astype(np.int64),
            "j": j.astype(np.int64),
            "distance": np.full(len(i), distance, dtype=np.int64),
            "mean_abs_difference": np.full(len(i), difference, dtype=np.float64),
            "likeness": np.full(len(i), likeness, dtype=np.float64),
            "kind": kind,
        }
    )


def _differing(
    near: pd.DataFrame, content: np.ndarray, first: np.ndarray, marks: Sequence[object] | None
) -> pd.DataFrame:
    """Pairs of equal or near content whose marks differ, by the first row of content and mark.

    A thousand copies of one black image are a few lines here, not a million.
    """
    if marks is None:
        return near.iloc[:0]
    rows = pd.DataFrame({"content": content, "mark": np.asarray(marks, dtype=object)})
    rows = rows.dropna().drop_duplicates().rename_axis("row").reset_index()
    alike = near.assign(a=content[near["i"]], b=content[near["j"]])
    same = _table(first, first, "exact").assign(a=content[first], b=content[first])
    alike = pd.concat([alike, same]) if len(alike) else same
    found = alike.merge(rows, left_on="a", right_on="content").merge(
        rows, left_on="b", right_on="content"
    )
    found = found[found["mark_x"] != found["mark_y"]]
    lines = found[near.columns].copy()
    lines["i"] = np.minimum(found["row_x"], found["row_y"])
    lines["j"] = np.maximum(found["row_x"], found["row_y"])
    return lines.drop_duplicates(["i", "j"]).sort_values(["i", "j"], ignore_index=True)
