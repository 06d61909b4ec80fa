from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from foldwise.choosing.shift import COMMON as COMMON_MEDIAN
from foldwise.choosing.shift import ENOUGH, Shifts, learnt, prior
from foldwise.choosing.shift import OWN as OWN_MEDIAN

FAMILIES = np.repeat(np.eye(4), 4, axis=0)
OWN = np.eye(16)
NOISE = 0.002**2 * np.eye(16)


def seen(family: float, own: float, seed: int, num: int = 16) -> Shifts:
    rng = np.random.default_rng(seed)
    residuals = -0.03 + family * FAMILIES @ rng.normal(size=4) + own * rng.normal(size=16)
    residuals += 0.002 * rng.normal(size=16)
    at = slice(None, None, 16 // num)
    return learnt(
        prior(0.01, largest=float(np.abs(residuals).max())),
        residuals[at],
        NOISE[at, at],
        FAMILIES[at],
        OWN[at],
    )


def test_the_prior_has_its_stated_medians() -> None:
    found = prior(0.01)
    assert found.weight.sum() == pytest.approx(1)
    assert found.weight[found.family == 0].sum() == pytest.approx(0.3)
    assert OWN_MEDIAN * 0.01 / 2 < found.typical(found.own) < OWN_MEDIAN * 0.01 * 2
    assert COMMON_MEDIAN * 0.01 / 2 < found.typical(found.common) < COMMON_MEDIAN * 0.01 * 2
    wider = prior(0.01, largest=5.0)
    assert wider.own.max() == pytest.approx(10)


def test_weights_follow_the_normal_likelihood() -> None:
    before = prior(0.01)
    residuals = np.array([-0.02, 0.01, 0.03])
    after = learnt(before, residuals, NOISE[:3, :3], FAMILIES[:3], OWN[:3])
    covariances = NOISE[:3, :3] + before.covariances(FAMILIES[:3], OWN[:3])
    likelihood = [stats.multivariate_normal(cov=c).pdf(residuals) for c in covariances]
    expected = before.weight * likelihood
    assert after.weight == pytest.approx(expected / expected.sum())


def test_no_score_leaves_the_prior_and_a_few_leave_it_nearly_so() -> None:
    before = prior(0.01)
    none = np.zeros((0, 0))
    assert learnt(before, np.zeros(0), none, FAMILIES[:0], OWN[:0]) is before
    one = learnt(before, np.array([-0.01]), NOISE[:1, :1], FAMILIES[:1], OWN[:1])
    assert not one.is_learnt
    assert one.typical(one.own) == before.typical(before.own)
    assert one.typical(one.family) == before.typical(before.family)


def test_family_shifts_are_told_from_own_ones() -> None:
    by_family = [seen(0.05, 0.001, seed) for seed in range(5)]
    by_own = [seen(0.0, 0.05, seed) for seed in range(5)]
    assert all(s.is_learnt and s.num_scores == 16 >= ENOUGH for s in by_family)
    assert all(0.01 < s.typical(s.family) < 0.2 for s in by_family)
    assert all(s.typical(s.own) < 0.01 for s in by_family)
    assert all(0.02 < s.typical(s.own) < 0.15 for s in by_own)


def test_a_blend_of_two_families_moves_less_than_either() -> None:
    shifts = prior(1.0)
    families = np.array([[1, 0], [0, 1], [0.5, 0.5]])
    found = shifts.covariances(families, families)
    variance = found[:, [0, 1, 2], [0, 1, 2]]
    assert (variance[:, 2] <= variance[:, 0]).all()
    assert (variance[:, 2] >= shifts.common**2).all()
