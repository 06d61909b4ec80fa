"""Deciding grades: cuts on a scale of grades, and the common scale on which they are j - 1/2."""

from __future__ import annotations

import numpy as np

from foldwise.errors import ConfigError


def cuts(scores: np.ndarray, *, values: list[float]) -> np.ndarray:
    """The grade: how many cuts are at or below the score. Exactly on a cut goes up.

    Args:
        scores: (N, 1) float on the scale of the cuts.
        values: K - 1 rising cuts for K grades.

    Returns:
        (N,) int64 in [0, K).

    Raises:
        ConfigError: cuts that do not rise, or scores of more than one column.

    >>> cuts(np.array([[0.4], [0.5], [2.7]]), values=[0.5, 1.5, 2.5]).tolist()
    [0, 1, 3]
    """
    limits = _rising(values)
    return np.searchsorted(limits, one_column(scores), side="right").astype(np.int64)


def one_column(scores: np.ndarray) -> np.ndarray:
    """(N, 1) scores → (N,).

    Raises:
        ConfigError: scores of more than one column.
    """
    if scores.ndim != 2 or scores.shape[1] != 1:
        raise ConfigError(f"cuts take one score per sample, found shape {scores.shape}")
    column: np.ndarray = scores[:, 0]
    return column


def half_cuts(num_grades: int) -> list[float]:
    """Cuts j - 1/2: the nearest grade, for scores that are not shrunk.

    >>> half_cuts(5)
    [0.5, 1.5, 2.5, 3.5]
    """
    return [j - 0.5 for j in range(1, num_grades)]


def shrunk_cuts(num_grades: int) -> list[float]:
    """Cuts j (K-1) / K: equal parts of [0, K-1], as squared error pulls scores to the centre.

    >>> shrunk_cuts(5)
    [0.8, 1.6, 2.4, 3.2]
    """
    return [j * (num_grades - 1) / num_grades for j in range(1, num_grades)]


def to_common(scores: np.ndarray, cuts: list[float], num_grades: int) -> np.ndarray:
    """Scores on the common scale, on which every formulation has the cuts j - 1/2.

    Cut j goes to j - 1/2, 0 to 0 and K-1 to K-1, linear between, clipped outside: the grade
    that a score has by its own cuts is the one it has by `half_cuts` afterwards. With cuts
    j - 1/2 nothing but the clipping happens.

    Args:
        scores: float of any shape, on the formulation's own scale.
        cuts: K - 1 rising cuts of that scale, inside (0, K-1).
        num_grades: K, at least 2.

    Returns:
        float64 of the same shape, in [0, K-1].

    Raises:
        ConfigError: another number of cuts, or cuts that do not rise inside (0, K-1).

    >>> to_common(np.array([2.7, 1.9]), shrunk_cuts(5), 5).round(6).tolist()
    [2.875, 1.875]
    """
    top = num_grades - 1
    limits = _rising(cuts)
    if len(limits) != top or top < 1 or limits[0] <= 0 or limits[-1] >= top:
        raise ConfigError(
            f"{num_grades} grades need {top} cuts inside (0, {top}), found {list(cuts)}"
        )
    common: np.ndarray = np.interp(scores, [0, *limits, top], [0, *half_cuts(num_grades), top])
    return common


def _rising(values: list[float]) -> np.ndarray:
    limits = np.asarray(values, dtype=np.float64)
    if limits.ndim != 1 or not np.isfinite(limits).all() or not (np.diff(limits) > 0).all():
        raise ConfigError(f"cuts must be rising numbers, found {list(values)}")
    return limits


ANSWER_STEPS = {"cuts": cuts}
