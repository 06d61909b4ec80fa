"""Reference predictors that see no network: what a recipe has to beat, fold by fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.seeding import key, permutation

_SIDE = 20
_BLOCK = 1024
#: Deviation, in [0, 1], below which an image counts as flat and its noise is not blown up.
_LEAST_CONTRAST = 0.02


@dataclass(frozen=True)
class ReferenceScores:
    """Scores of a reference predictor.

    Attributes:
        oof: (N, C) float64, each row scored without its own fold (and its fold's gap rows).
        test: (M, C) float64, scored with all rows.
    """

    oof: np.ndarray
    test: np.ndarray


def majority(
    train_thumbs: np.ndarray,
    target: np.ndarray,
    folds: np.ndarray,
    test_thumbs: np.ndarray,
    gap_rows: np.ndarray | None = None,
) -> ReferenceScores:
    """The mean target of the other folds: class shares, label shares, or the mean value.

    Args:
        train_thumbs: (N, H, W, 3) uint8, not looked at.
        target: (N, C) numbers to average: one-hot classes, 0/1 labels or values.
        folds: (N,) int in [0, K); each fold leaves rows of another one.
        test_thumbs: (M, H, W, 3) uint8; only their number matters.
        gap_rows: (K, N) bool, rows left out against each fold.
    """
    oof = np.empty(target.shape)
    for fold in np.unique(folds):
        oof[folds == fold] = target[_training_rows(folds, int(fold), gap_rows)].mean(axis=0)
    return ReferenceScores(oof, np.tile(target.mean(axis=0), (len(test_thumbs), 1)))


def nearest_thumbnail(
    train_thumbs: np.ndarray,
    target: np.ndarray,
    folds: np.ndarray,
    test_thumbs: np.ndarray,
    gap_rows: np.ndarray | None = None,
    *,
    num_neighbours: int = 5,
    max_rows: int = 10_000,
) -> ReferenceScores:
    """The mean target of the nearest 20 x 20 grey thumbnails, nearer ones counting more.

    Thumbnails are brought to equal brightness and contrast first: on `sign-tracks` folded by
    track the plain nearest neighbour then scores 0.53 (0.33 otherwise), 0.88 with random folds.
    A neighbour at squared pixel distance d weighs 1 / (d + m), m being a tenth of the distance
    to the last neighbour taken, so an exact copy weighs eleven times what the last one does.

    Args:
        train_thumbs: (N, H, W, 3) or (N, H, W) uint8.
        target: (N, C) numbers to average: one-hot classes, 0/1 labels or values.
        folds: (N,) int in [0, K).
        test_thumbs: (M, H, W, 3) or (M, H, W) uint8.
        gap_rows: (K, N) bool, rows left out against each fold.
        num_neighbours: how many are averaged; 1 is the plain nearest neighbour.
        max_rows: of more training rows than this, so many are compared with, drawn at random;
            which ones depends on the rows' number and fold alone.
    """
    train, test = _grey_vectors(train_thumbs), _grey_vectors(test_thumbs)
    oof = np.empty(target.shape)
    for fold in np.unique(folds):
        rows = _sampled(_training_rows(folds, int(fold), gap_rows), int(fold), max_rows)
        held_out = folds == fold
        oof[held_out] = _vote(train[held_out], train[rows], target[rows], num_neighbours)
    rows = _sampled(np.arange(len(train)), -1, max_rows)
    return ReferenceScores(oof, _vote(test, train[rows], target[rows], num_neighbours))


def _training_rows(folds: np.ndarray, fold: int, gap_rows: np.ndarray | None) -> np.ndarray:
    is_training = folds != fold
    if gap_rows is not None:
        is_training &= ~gap_rows[fold]
    assert is_training.any(), f"fold {fold} leaves no row to train with"
    return np.flatnonzero(is_training)


def _sampled(rows: np.ndarray, fold: int, max_rows: int) -> np.ndarray:
    if len(rows) <= max_rows:
        return rows
    drawn: np.ndarray = rows[np.sort(permutation(key("reference", fold), len(rows))[:max_rows])]
    return drawn


def _vote(
    queries: np.ndarray, train: np.ndarray, target: np.ndarray, num_neighbours: int
) -> np.ndarray:
    """Weighted mean target of each query's neighbours, (Q, C), in blocks of bounded memory."""
    num = min(num_neighbours, len(train))
    squares = (train**2).sum(1)
    scores = np.empty((len(queries), target.shape[1]))
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        # The queries' own squares are the same for all neighbours; added after the choice.
        partial = squares[None, :] - 2.0 * (block @ train.T)
        nearest: np.ndarray = np.argpartition(partial, num - 1, axis=1)[:, :num]
        distance = np.take_along_axis(partial, nearest, axis=1) + (block**2).sum(1)[:, None]
        distance = np.maximum(distance.astype(np.float64), 0.0)
        weights = 1.0 / (distance + 0.1 * distance.max(axis=1, keepdims=True) + 1e-9)
        weights /= weights.sum(axis=1, keepdims=True)
        scores[start : start + _BLOCK] = np.einsum("qk,qkc->qc", weights, target[nearest])
    return scores


def _grey_vectors(thumbs: np.ndarray) -> np.ndarray:
    """(N, 400) float32 of mean 0 and deviation 1: grey means over 20 x 20 equal cells."""
    num, height, width = thumbs.shape[:3]
    down, across = _area_weights(height), _area_weights(width)
    vectors = np.empty((num, _SIDE * _SIDE), dtype=np.float32)
    for start in range(0, num, _BLOCK):
        block = thumbs[start : start + _BLOCK].astype(np.float32) / np.float32(255)
        grey = block.mean(axis=3) if block.ndim == 4 else block
        vectors[start : start + _BLOCK] = (down @ grey @ across.T).reshape(len(block), -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.maximum(vectors.std(axis=1, keepdims=True), _LEAST_CONTRAST)
    return vectors


def _area_weights(size: int) -> np.ndarray:
    """(20, size) float32: how much of each pixel lies in each of 20 equal cells, rows sum to 1."""
    edges = np.arange(_SIDE + 1) * size / _SIDE
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: np.ndarray = (np.maximum(overlap, 0.0) * _SIDE / size).astype(np.float32)
    return weights


REFERENCES = {"majority": majority, "nearest_thumbnail": nearest_thumbnail}
