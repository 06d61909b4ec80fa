"""Futures: simulated public and private scores of candidates, given all that is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.choosing.candidates import Candidates
from foldwise.choosing.shift import Shifts, learnt, prior
from foldwise.seeding import key, uniforms

#: Gaussian draws per resample of rows: they cost little, a resample costs a call of the metric.
_PER_RESAMPLE = 4
#: Quartiles of a normal distribution lie this many standard deviations apart.
_QUARTILES = 1.349


@dataclass(frozen=True)
class Split:
    """The test set: how many units (rows or groups) the public and the private score rest on."""

    num_public: int
    num_private: int


@dataclass(frozen=True)
class Futures:
    """D simulated outcomes of M candidates; higher is better throughout.

    Attributes:
        cv: (M,) cross-validated scores.
        public: (D, M) public scores; what is known is the same in every draw.
        private: (D, M) private scores. They may lie beyond what the metric can be: cut off there,
            candidates near its end would tie.
        shifts: the sizes of the shift that public scores and prior leave.
        noise: typical standard error of the difference of two candidates' private scores.
        num_resamples: resamples of rows behind it.
    """

    cv: np.ndarray
    public: np.ndarray
    private: np.ndarray
    shifts: Shifts
    noise: float
    num_resamples: int


def simulate(candidates: Candidates, split: Split, *, num: int, seed: int) -> Futures:
    """Draw public and private scores.

    Let `t` be a candidate's score on endlessly many test rows. The steps:

    1. *Sampling.* As many units as the private part has are drawn from the out-of-fold rows, all
       candidates scored on the same ones. Their covariance, scaled by the number of units, is
       that of the cross-validated and of the public scores; what they miss their mean by is the
       private sampling error itself, so odd metrics keep their odd distributions. Test rows differ
       from train rows and private from public ones, so the three errors are independent.
    2. *Quality.* Before its score is seen a candidate is one of the field: normal around an unknown
       mean with the spread of the field. Its cross-validated score then moves it from there as
       far as that score is precise. This takes off what the best of many scores owes to luck. The
       spread is never taken for less than the paired sampling error: nothing proves models equal.
    3. *Optimism.* A score that is not cross-fitted is expected to promise one standard error of a
       fold too much (choosing the best epoch on the fold did that), give or take as much again.
    4. *Shift* from train to test: see `shift`. `t` = quality + shift.
    5. *Public scores* = `t` + sampling error. Joint draws are conditioned on the known ones by
       Matheron's rule, which also gives the public scores of candidates that have none.

    Args:
        candidates: at least one.
        split: of the test set.
        num: resamples of rows; four futures are drawn for each.
        seed: another seed draws other futures.

    Raises:
        ValueError: a score is undefined on all rows, or on more than half of the resamples.

    Source: Matheron's rule: Journel and Huijbregts (1978), "Mining Geostatistics", ch. VII.
    """
    cv = candidates.utilities(np.ones(len(candidates.units)))
    errors = _sampling_errors(candidates, split.num_private, num, seed)
    per_unit = _covariance(errors) * split.num_private
    in_cv, in_public = per_unit / candidates.num_units, per_unit / split.num_public
    optimism = np.where(candidates.is_honest, 0.0, np.sqrt(np.diag(in_cv) * candidates.num_folds))
    mean, quality = _quality(cv - optimism, in_cv + np.diag(optimism**2))
    noise = float(np.sqrt(2 * _paired(per_unit / split.num_private)))
    low, high = np.quantile(cv - optimism, [0.25, 0.75])
    unit = max(float(high - low) / _QUARTILES, noise / np.sqrt(2))
    shifts = _shifts(candidates, unit, mean, quality + in_public)
    draws = _Draws(candidates, shifts, mean, quality, in_public, seed)
    level, public = draws.conditioned(_PER_RESAMPLE * len(errors))
    private = level + np.repeat(errors, _PER_RESAMPLE, axis=0)
    return Futures(cv, public, private, shifts, noise, len(errors))


def _covariance(errors: np.ndarray) -> np.ndarray:
    """(M, M); never singular, though candidates may be alike."""
    found = np.atleast_2d(np.cov(errors, rowvar=False, bias=True))
    tiny = 1e-9 * max(float(np.diag(found).mean()), 1e-12)
    covariance: np.ndarray = found + tiny * np.eye(len(found))
    return covariance


def _shifts(candidates: Candidates, unit: float, mean: np.ndarray, noise: np.ndarray) -> Shifts:
    """The sizes of the shift, by the public scores that are known."""
    known = candidates.known
    residuals = candidates.sign * candidates.public[known] - mean[known]
    return learnt(
        prior(unit, largest=float(np.abs(residuals).max(initial=0.0))),
        residuals,
        noise[np.ix_(known, known)],
        candidates.family_parts[known],
        candidates.own_parts[known],
    )


def _sampling_errors(candidates: Candidates, num_drawn: int, num: int, seed: int) -> np.ndarray:
    """(R, M) what scores on drawn units miss their mean by, R at most `num`."""
    stream, num_units = key("pick", seed), candidates.num_units
    drawn = []
    for number in range(num):
        units = uniforms(stream, np.array([number]), num_drawn)[0] * num_units
        times = np.bincount(units.astype(np.int64), minlength=num_units)
        try:
            drawn.append(candidates.utilities(times[candidates.units].astype(np.float64)))
        except ValueError:  # A rare class was not drawn.
            continue
    if len(drawn) < num / 2:
        raise ValueError(
            f"the metric is undefined on {num - len(drawn)} of {num} draws of {num_drawn} "
            "rows or groups"
        )
    scores = np.array(drawn)
    errors: np.ndarray = scores - scores.mean(axis=0)
    return errors


def _paired(covariance: np.ndarray) -> float:
    """Mean variance around the candidates' common mean: half that of a typical difference."""
    num = len(covariance)
    if num < 2:
        return float(covariance[0, 0])
    return float((np.trace(covariance) - covariance.sum() / num) / (num - 1))


def _quality(cv: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M,) mean and (M, M) covariance of the qualities, given the scores."""
    num = len(cv)
    spread = max(float(np.var(cv, ddof=1)) if num > 1 else 0.0, _paired(noise))
    inverse = np.linalg.inv(noise + spread * np.eye(num))
    certainty = inverse.sum()
    centre = float(inverse.sum(axis=0) @ cv / certainty)
    mean = centre + spread * inverse @ (cv - centre)
    by_centre = 1 - spread * inverse.sum(axis=1)  # What not knowing the field's mean adds.
    covariance = (
        spread * np.eye(num) - spread**2 * inverse + np.outer(by_centre, by_centre) / certainty
    )
    return mean, (covariance + covariance.T) / 2


@dataclass(frozen=True)
class _Draws:
    """What joint draws of levels and public scores are made from."""

    candidates: Candidates
    shifts: Shifts
    mean: np.ndarray
    quality: np.ndarray
    in_public: np.ndarray
    seed: int

    def conditioned(self, num: int) -> tuple[np.ndarray, np.ndarray]:
        """(num, M) levels and (num, M) public scores, each draw agreeing with what is known."""
        known = self.candidates.known
        observed = self.candidates.sign * self.candidates.public[known]
        rng = np.random.default_rng(key("futures", self.seed))
        points = _systematic(self.shifts.weight, num, rng)
        level, public = self._free(points, rng)
        if not len(known):
            return level, public
        missed = observed - public[:, known]
        families, own_parts = self.candidates.family_parts, self.candidates.own_parts
        occurring, of_draw = np.unique(points, return_inverse=True)
        levels = self.quality + self.shifts.covariances(families, own_parts, occurring)
        publics = levels + self.in_public
        seen = publics[:, known[:, None], known]
        to_level = np.linalg.solve(seen, levels[:, known])
        to_public = np.linalg.solve(seen, publics[:, known])
        for number in range(len(occurring)):
            at = of_draw == number
            level[at] += missed[at] @ to_level[number]
            public[at] += missed[at] @ to_public[number]
        public[:, known] = observed
        return level, public

    def _free(self, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws before any public score is known."""
        num, shifts = len(points), self.shifts
        families, own_parts = self.candidates.family_parts, self.candidates.own_parts

        def normal(columns: int) -> np.ndarray:
            return rng.standard_normal((num, columns))

        level = (
            self.mean
            + normal(len(self.mean)) @ _root(self.quality).T
            + shifts.common[points, None] * normal(1)
            + shifts.family[points, None] * (normal(families.shape[1]) @ families.T)
            + shifts.own[points, None] * (normal(own_parts.shape[1]) @ own_parts.T)
        )
        return level, level + normal(len(self.mean)) @ _root(self.in_public).T


def _root(covariance: np.ndarray) -> np.ndarray:
    """A square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = vectors * np.sqrt(np.maximum(values, 0))
    return root


def _systematic(weight: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """(num,) grid points, each as often as its weight says up to one, in random order."""
    at = (np.arange(num) + rng.uniform()) / num
    points = np.searchsorted(np.cumsum(weight), at).clip(max=len(weight) - 1)
    return rng.permutation(points)
