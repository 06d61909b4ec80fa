from __future__ import annotations

import numpy as np
import pytest

from foldwise.decide.ratio import least_ratio


@pytest.mark.parametrize("seed", range(20))
def test_the_least_ratio_is_found_from_any_start(seed: int) -> None:
    part, whole = np.random.default_rng(seed).random((2, 50)) + 0.01
    for start in range(50):
        found = least_ratio(
            lambda ratio: int((part - ratio * whole).argmin()),
            lambda index: float(part[index] / whole[index]),
            start=float(part[start] / whole[start]),
        )
        assert part[found] / whole[found] == pytest.approx((part / whole).min())
