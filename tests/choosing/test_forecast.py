"""How many seeds would settle it, in cases where the number can be worked out by hand."""

from __future__ import annotations

import pytest

from foldwise.choosing.forecast import MOST_SEEDS, Forecast, forecast
from foldwise.choosing.noise import Noise

KNOWN = {"df_rows": 1e9, "df_seeds": 1e9, "df_per_seed": 1e9}


def asked(difference: float, noise: Noise, **changes: object) -> Forecast:
    options = {"has_seeds": True, "num_seeds": 2, "level": 0.95, "is_settled": False, **changes}
    return forecast(difference, noise, **options)


@pytest.mark.parametrize(("difference", "total"), [(1.0, 4), (0.5, 16), (-0.5, 16)])
def test_without_samples_noise_the_number_grows_with_the_square(
    difference: float, total: int
) -> None:
    noise = Noise(rows=0.0, per_pair=1.0, share=0.5, **KNOWN)
    assert asked(difference, noise) == Forecast(total - 2, "seeds")


def test_noise_that_no_seed_takes_away_may_leave_it_open_for_ever() -> None:
    noise = Noise(rows=0.3, per_pair=1.0, overlap_per_pair=0.1, share=0.5, **KNOWN)
    assert noise.lasting == pytest.approx(0.25)
    assert asked(0.9, noise).reason == "samples"  # 1.96 * 0.5 = 0.98.
    assert asked(1.2, noise).reason == "seeds"


def test_a_part_that_is_in_both_noises_counts_once() -> None:
    noise = Noise(rows=0.05, per_pair=0.1, overlap_per_pair=0.1, share=0.5, **KNOWN)
    assert noise.error == pytest.approx(0.05**0.5)
    assert noise.after(10).error == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "noise", "expected"),
    [
        ({"is_settled": True}, Noise(1.0, 9, per_pair=1.0), Forecast(0, "settled")),
        ({"has_seeds": False, "num_seeds": 0}, Noise(1.0, 9), Forecast(None, "no seeds")),
        ({"num_seeds": 1}, Noise(1.0, 9), Forecast(1, "unknown")),
        ({"num_seeds": 0}, Noise(1.0, 9), Forecast(2, "unknown")),
        ({}, Noise(0.0, 9, per_pair=1e9), Forecast(None, "too many seeds")),
        ({}, Noise(1e3, 9, per_pair=0.0), Forecast(None, "samples")),
    ],
)
def test_what_seeds_cannot_settle_is_said(
    changes: dict[str, object], noise: Noise, expected: Forecast
) -> None:
    assert asked(1.0, noise, **changes) == expected
    assert MOST_SEEDS >= 100
