"""The verdict on many simulated pools: noise is not crowned, and a real helper is found."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from foldwise.blending.averages import mean
from foldwise.blending.convex import convex
from foldwise.blending.gain import GainReport
from foldwise.blending.methods import Fit
from foldwise.blending.selection import greedy, hill_climbing

from .worth import Case, pool

NUM_NOISE = 50
GOOD, HELPER = 1.0, 1.0
ROWS = 1000


@pytest.fixture
def num_draws(request: pytest.FixtureRequest) -> int:
    return 200 if request.config.getoption("--full") else 25


def reports(num_draws: int, skills: list[float], fit: Fit, *, rows: int) -> list[GainReport]:
    """One report for each draw of the members' errors and the truth."""
    return [
        Case(*pool(1000 + seed, skills, rows=rows), num=200).report(fit)
        for seed in range(num_draws)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "fit", [greedy, mean, partial(mean, comparable=False), convex, hill_climbing]
)
def test_one_good_member_among_noise_is_called_a_gain_in_5_of_100_at_most(
    fit: Fit, num_draws: int
) -> None:
    found = reports(num_draws, [GOOD, *[0.0] * NUM_NOISE], fit, rows=ROWS)
    assert np.mean([report.verdict == "gain" for report in found]) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("fit", [greedy, mean, convex, hill_climbing])
def test_a_real_helper_among_noise_is_found_in_9_of_10(fit: Fit, num_draws: int) -> None:
    found = reports(num_draws, [GOOD, HELPER, *[0.0] * (NUM_NOISE - 1)], fit, rows=ROWS)
    is_found = [
        report.verdict == "gain" and min(report.weights["m0"], report.weights["m1"]) > 0
        for report in found
    ]
    assert np.mean(is_found) >= 0.9
