"""Exact and near duplicate images: candidates from hashes, each confirmed on pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldwise.auditing.likeness import find_alike, fit_likeness, looks_of
from foldwise.auditing.links import Links

NearPairs = Callable[[np.ndarray, int], Iterable[np.ndarray]]

#: Pairs looked at together.
_CHUNK = 65_536


@dataclass(frozen=True)
class DuplicateReport:
    """What `find_duplicates` found; rows are named by position.

    Attributes:
        pairs: columns i < j, distance (bits of the perceptual hash), mean_abs_difference (levels
            of 0-255), likeness (in [-1, 1]), kind ("exact" or "near"). Images of equal content
            are listed as pairs with the first of them, and near pairs between first ones.
        is_cut: there may be more near pairs than are listed; the groups know them all.
        groups: (N,) int64, rows linked by any pairs share a number; a row without is alone.
        twins: pairs whose splits differ; one line for each two contents.
        label_conflicts: pairs whose labels differ; one line for each two contents and labels.
        num_candidates: pairs near by hash whose pixels were looked at.
    """

    pairs: pd.DataFrame
    is_cut: bool
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
    max_listed: int = 100_000,
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
            hashes at most that many bits apart, in blocks.
        splits: "train" or "test" of each row, for the twins.
        labels: label of each row, None or NaN where unknown, for the label conflicts.
        max_distance: bits of the 64.
        min_likeness: in [-1, 1].
        max_difference: mean absolute difference, in levels of 0-255.
        max_listed: when about so many near pairs are found, only pairs that would join two groups
            are still looked at, and none is listed: thousands of frames of a fixed camera make
            millions.

    Returns:
        Pairs, groups, twins and label conflicts.
    """
    num = len(sha256)
    assert thumbs.shape[:1] == phashes.shape == (num,), (thumbs.shape, phashes.shape, num)
    content, first = _contents(sha256)
    exact = _exact_pairs(content, first)
    looks = looks_of(fit_likeness(thumbs, first), thumbs, first)
    links, tables = Links(len(first)), [exact.iloc[:0]]
    num_near, num_candidates, is_cut = 0, 0, False
    for pairs in _chunks(near_pairs(phashes[first], max_distance)):
        is_full = num_near >= max_listed
        if is_full:
            pairs = pairs[links.apart(pairs)]
        kept, likeness, difference = find_alike(
            looks, pairs, min_likeness=min_likeness, max_difference=max_difference
        )
        links.join(pairs[kept])
        num_candidates += len(pairs)
        is_cut |= is_full
        if len(kept) and not is_full:
            num_near += len(kept)
            i, j = first[pairs[kept]].T
            distance = np.bitwise_count(phashes[i] ^ phashes[j])
            tables.append(_table(i, j, "near", distance, difference, likeness))
    near = pd.concat(tables, ignore_index=True).sort_values(["i", "j"], ignore_index=True)
    return DuplicateReport(
        pairs=pd.concat([exact, near], ignore_index=True) if len(near) else exact,
        is_cut=is_cut,
        groups=pd.factorize(links.groups()[content])[0].astype(np.int64),
        twins=_differing(near, content, first, splits),
        label_conflicts=_differing(near, content, first, labels),
        num_candidates=num_candidates,
    )


def _chunks(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for block in blocks:
        pairs = np.asarray(block, dtype=np.int64).reshape(-1, 2)
        for start in range(0, len(pairs), _CHUNK):
            yield pairs[start : start + _CHUNK]


def _contents(sha256: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number of each row's content, and the first row of each content."""
    content = pd.factorize(np.asarray(sha256, dtype=object))[0]
    return content, np.unique(content, return_index=True)[1]


def _exact_pairs(content: np.ndarray, first: np.ndarray) -> pd.DataFrame:
    rows = np.flatnonzero(first[content] != np.arange(len(content)))
    return _table(first[content[rows]], rows, "exact")


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
