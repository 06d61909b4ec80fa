"""How much a recipe's score changes when it is trained again with another seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Repeats:
    """Scores of one recipe, each from the out-of-fold predictions of a single seed.

    Attributes:
        name: of the run.
        seeds: S numbers; none for what has no seeds (a blend, scores from outside).
        scores: (S,) out-of-fold scores of all rows; (1,) without seeds.
        by_fold: (S, K) the score when fold k is predicted by seed s, averaged over the seeds that
            predict the other folds. For a metric that is a mean over rows its columns vary just
            as the folds do. Equal to `scores[:, None]` where folds are not told apart.
        resampled: (S, R) the scores of R resamples of the rows, the same resamples for all
            runs; None where there are too few rows or groups to resample.
    """

    name: str
    seeds: tuple[int, ...]
    scores: np.ndarray
    by_fold: np.ndarray
    resampled: np.ndarray | None

    def __post_init__(self) -> None:
        num = max(1, len(self.seeds))
        assert self.scores.shape == (num,), self.scores.shape
        assert self.by_fold.ndim == 2
        assert len(self.by_fold) == num
        assert self.resampled is None or len(self.resampled) == num

    def only(self, seeds: Sequence[int]) -> Repeats:
        """The same run as if it had been trained with these seeds only."""
        at = [self.seeds.index(seed) for seed in seeds]
        part = None if self.resampled is None else self.resampled[at]
        return Repeats(self.name, tuple(seeds), self.scores[at], self.by_fold[at], part)


@dataclass(frozen=True)
class SeedNoise:
    """The variance of one-seed scores around what a recipe scores on average.

    A unit's random numbers depend on its fold as well as on its seed, so folds of one seed are
    as independent as seeds are: the variance is the sum of what each fold contributes. Two seeds
    of five folds know it by up to five degrees of freedom, where two scores know it by one.

    Attributes:
        by_fold: (K,) variance that each fold's seed contributes.
        num_free: degrees of freedom of each of them.
        runs: names of the runs it was learnt from.
    """

    by_fold: np.ndarray
    num_free: int
    runs: tuple[str, ...]

    @property
    def variance(self) -> float:
        """Of the score of one seed."""
        return float(self.by_fold.sum())

    @property
    def df(self) -> float:
        """Degrees of freedom of the variance, between `num_free` and K times as many.

        Satterthwaite's (Σv)² / Σ(v² / n), as it stands: too low for few seeds of folds that
        contribute alike (2.3 for two seeds of five, where 5 is true), but a corrected one made 9 %
        false verdicts at two seeds where one fold contributes most; this one at most 6 % there.
        Where one fold contributes all of it, two seeds still make 8 %.

        Source: Satterthwaite (1946), "An approximate distribution of estimates of variance
        components", Biometrics Bulletin 2(6), 110-114.
        """
        squares = float((self.by_fold**2).sum())
        if squares == 0:
            return float(len(self.by_fold) * self.num_free)
        return self.num_free * self.variance**2 / squares


def seed_noise(runs: Sequence[Repeats]) -> SeedNoise | None:
    """The seed noise that runs with several seeds share, pooled.

    It takes the runs for alike in their noise, and their seeds for independent of each other.

    Args:
        runs: of any number of seeds, all with the same K folds.

    Returns:
        None where no run has two seeds.

    >>> scores = np.array([0.80, 0.82])
    >>> found = seed_noise([Repeats("base", (0, 1), scores, scores[:, None], None)])
    >>> round(found.variance, 6), found.df
    (0.0002, 1.0)
    """
    repeated = [run for run in runs if len(run.seeds) > 1]
    if not repeated:
        return None
    free = np.array([len(run.seeds) - 1 for run in repeated])
    each = np.stack([run.by_fold.var(axis=0, ddof=1) for run in repeated])
    by_fold = free @ each / free.sum()
    return SeedNoise(by_fold, int(free.sum()), tuple(run.name for run in repeated))


def shared_noise(resampled: np.ndarray) -> float:
    """The part of a score's row noise that is another for each seed, as a variance.

    Rows of which one seed is right and the next is wrong make both the rows' noise and the
    seeds'; whoever adds the two must subtract this once.

    Args:
        resampled: (S, R) scores of S seeds, or paired differences, on the same R resamples.

    Returns:
        Mean variance less mean covariance between seeds; 0 for a single seed, where it is not
        known and nothing is to be subtracted.

    Source: Obuchowski and Rockette (1995), "Hypothesis testing of diagnostic accuracy for
    multiple readers and multiple tests", Communications in Statistics 24(2), 285-308: seeds are
    their readers, rows their cases.
    """
    num = len(resampled)
    if num < 2:
        return 0.0
    found = np.cov(resampled)
    diagonal = float(np.trace(found))
    between = (float(found.sum()) - diagonal) / (num * (num - 1))
    return max(0.0, diagonal / num - between)
