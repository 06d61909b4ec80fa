"""How far test scores lie from cross-validated ones: scales of the shift, learnt from residuals.

The shift of a candidate is a sum of three parts, each normal around 0: one *common* to all (a
harder test set moves everybody), one per model *family* (a camera that only convolutions read well
moves all of them), and one of each trained model's *own*. A blend has its members' family and own
parts by the squares of its weights, so two blends of the same models move together and a blend of
unlike ones moves less.

How large the three are is not known. Each of their standard deviations lies on a grid with prior
weights, and the public scores weigh the grid by their likelihood; what follows is averaged over the
grid. So one public score leaves the prior nearly as it is, eight or more overrule it, and there is
no number of submissions at which the answer jumps. The prior is stated in units of what the
candidates differ by in cross-validation: shifts have the size of the differences among the models
themselves in every competition that we know scores of, and far larger ones stay possible (half
Cauchy tails).

Source: half-Cauchy priors for the scales of few groups: Gelman (2006), "Prior distributions for
variance parameters in hierarchical models", Bayesian Analysis 1(3), 515-534.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Submissions with public scores from which on the sizes of the shift count as learnt.
ENOUGH = 8
#: Prior median of each part's standard deviation, in units of what candidates differ by.
COMMON, FAMILY, OWN = 2.0, 0.5, 0.25
#: Prior probability that families do not matter at all.
NO_FAMILY = 0.3
_STEPS, _LOWEST, _HIGHEST = 8, 1 / 16, 16.0
_COMMON_STEPS = 4


@dataclass(frozen=True)
class Shifts:
    """Sizes that the shift may have, and how likely each is; P grid points.

    Attributes:
        common: (P,) standard deviations of the part that all candidates share.
        family: (P,) of a family's part.
        own: (P,) of a trained model's part.
        weight: (P,) sums to 1.
        unit: what the prior is measured in, in points of the metric.
        num_scores: public scores behind it.
    """

    common: np.ndarray
    family: np.ndarray
    own: np.ndarray
    weight: np.ndarray
    unit: float
    num_scores: int

    @property
    def is_learnt(self) -> bool:
        """Whether there are submissions enough to overrule the prior."""
        return self.num_scores >= ENOUGH

    def typical(self, part: np.ndarray) -> float:
        """The weighted median of a part's sizes."""
        order = np.argsort(part, kind="stable")
        below = np.cumsum(self.weight[order])
        return float(part[order][min(int(np.searchsorted(below, 0.5)), len(part) - 1)])

    def covariances(
        self, families: np.ndarray, own_parts: np.ndarray, points: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """(P, M, M) covariance of M candidates' shifts at each grid point, or at some."""
        common, family, own = (
            np.square(part[points])[:, None, None] for part in (self.common, self.family, self.own)
        )
        found: np.ndarray = (
            common + family * (families @ families.T) + own * (own_parts @ own_parts.T)
        )
        return found


def prior(unit: float, *, largest: float = 0.0) -> Shifts:
    """The sizes before any public score is seen.

    Args:
        unit: what candidates differ by, above 0.
        largest: of the residuals seen; the grid reaches twice as far.
    """
    top = max(_HIGHEST * unit, 2 * largest)
    steps = np.geomspace(_LOWEST * unit, top, _STEPS)
    family = np.concatenate([[0.0], steps])
    common = np.geomspace(unit / 4, top, _COMMON_STEPS)
    shares = np.concatenate([[NO_FAMILY], (1 - NO_FAMILY) * _half_cauchy(steps, FAMILY * unit)])
    own_shares = _half_cauchy(steps, OWN * unit)
    common_shares = _half_cauchy(common, COMMON * unit)
    grid = np.meshgrid(common, family, steps, indexing="ij")
    weight = np.einsum("i,j,k->ijk", common_shares, shares, own_shares).ravel()
    return Shifts(grid[0].ravel(), grid[1].ravel(), grid[2].ravel(), weight, unit, num_scores=0)


def learnt(
    before: Shifts,
    residuals: np.ndarray,
    noise: np.ndarray,
    families: np.ndarray,
    own_parts: np.ndarray,
) -> Shifts:
    """The sizes after the residuals of k submissions are seen.

    Args:
        before: the prior.
        residuals: (k,) public score minus what cross-validation lets expect.
        noise: (k, k) covariance that residuals have without any shift, by sampling of rows alone.
        families: (k, F) of the submissions.
        own_parts: (k, L) of the submissions.
    """
    num = len(residuals)
    if not num:
        return before
    covariance = noise + before.covariances(families, own_parts)
    _, log_size = np.linalg.slogdet(covariance)
    solved = np.linalg.solve(covariance, np.tile(residuals[:, None], (len(covariance), 1, 1)))
    log_weight = np.log(before.weight) - (log_size + solved[:, :, 0] @ residuals) / 2
    weight = np.exp(log_weight - log_weight.max())
    return replace(before, weight=weight / weight.sum(), num_scores=num)


def _half_cauchy(steps: np.ndarray, median: float) -> np.ndarray:
    """Weights of log-spaced steps under a half-Cauchy distribution, whose scale is its median."""
    density = steps / (1 + (steps / median) ** 2)
    found: np.ndarray = density / density.sum()
    return found
