"""Correcting probabilities for another class mix in test than in train."""

from __future__ import annotations

import numpy as np

from foldwise.errors import ConfigError, DataError

#: Sums of float32 probabilities come out this far above 1.
_ROUNDING = 1e-6


def prior_shift(
    scores: np.ndarray, *, train: list[float], test: list[float], exclusive: bool = True
) -> np.ndarray:
    """Probabilities as they would be, had the classes been as frequent as in test.

    Exclusive classes: each probability is multiplied by its class's test share over train share,
    and rows are divided by their sum. Otherwise each class's odds are multiplied by its test
    odds over train odds.

    Args:
        scores: (N, C) float probabilities.
        train: C shares the network was fitted to, in (0, 1]; in (0, 1) if not exclusive.
        test: C shares to correct for; scale is of no matter if exclusive.
        exclusive: exactly one class holds per sample, as opposed to any number of them.

    Returns:
        (N, C) float64 probabilities.

    Raises:
        ConfigError: shares that are not C, or out of range.
        DataError: scores are not probabilities, or all of a row's is in classes of test share 0.

    Source: Saerens, Latinne and Decaestecker (2002), "Adjusting the outputs of a classifier to
    new a priori probabilities", Neural Computation 14(1), 21-41, equation 2.4.

    >>> prior_shift(np.array([[0.5, 0.5]]), train=[0.8, 0.2], test=[0.5, 0.5]).tolist()
    [[0.2, 0.8]]
    """
    before, after = np.asarray(train, dtype=np.float64), np.asarray(test, dtype=np.float64)
    _check_shares(before, after, scores.shape[1], exclusive)
    if scores.size and (scores.min() < -_ROUNDING or scores.max() > 1 + _ROUNDING):
        raise DataError(
            f"prior_shift needs probabilities, found scores in [{scores.min():g}, {scores.max():g}]"
        )
    scores = np.clip(scores, 0.0, 1.0)
    if not exclusive:
        factor = after / (1 - after) * (1 - before) / before
        independent: np.ndarray = scores * factor / (scores * factor + 1 - scores)
        return independent
    shifted: np.ndarray = scores * (after / before)
    sums = shifted.sum(axis=1, keepdims=True)
    if not sums.all():
        row = int(np.flatnonzero(sums == 0)[0])
        raise DataError(
            f"prior_shift: row {row} has probability only in classes whose test share is 0",
            remedy="give those classes a small test share",
        )
    shifted /= sums
    return shifted


def _check_shares(before: np.ndarray, after: np.ndarray, num_classes: int, exclusive: bool) -> None:
    problems = []
    for name, shares in (("train", before), ("test", after)):
        if shares.shape != (num_classes,):
            problems.append(f"prior_shift.{name}: {shares.size} shares for {num_classes} classes")
        elif not np.isfinite(shares).all() or (shares < 0).any():
            problems.append(f"prior_shift.{name}: shares must be 0 or more, found {list(shares)}")
        elif name == "train" and not shares.all():
            problems.append(f"prior_shift.train: no share may be 0, found {list(shares)}")
        elif not exclusive and not ((shares > 0) & (shares < 1)).all():
            problems.append(f"prior_shift.{name}: shares must be in (0, 1), found {list(shares)}")
        elif not shares.any():
            problems.append(f"prior_shift.{name}: all shares are 0")
    if problems:
        raise ConfigError(*problems)


SCORE_STEPS = {"prior_shift": prior_shift}
