"""The mean of maps as a value: what it gives, what is left of it without members, and its JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from foldwise.blending import Blend
from foldwise.blending.map_means import MapMean, blend_from_json
from foldwise.errors import DataError
from foldwise.maps.maps import Maps, constant_maps, mean

SIZES = np.array([[3, 5], [2, 2]])


def drawn(seed: int) -> Maps:
    def read(row: int) -> np.ndarray:
        rng = np.random.default_rng([seed, row])
        return rng.integers(0, 256, (2, *SIZES[row]), dtype=np.uint8)

    return Maps(SIZES, 2, np.arange(len(SIZES)), read)


def test_it_is_the_mean_by_weight() -> None:
    parts = [drawn(seed) for seed in range(3)]
    found = MapMean((0.5, 0.3, 0.2)).apply(parts)
    for row in range(len(SIZES)):
        exact = np.tensordot([0.5, 0.3, 0.2], [part.read(row) for part in parts], axes=1)
        assert np.abs(found.read(row) - exact).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("num", range(2, 12))
def test_equal_weights_round_as_no_weights_do(num: int) -> None:
    parts = [drawn(seed) for seed in range(num)]
    found, plain = MapMean((1 / num,) * num).apply(parts), mean(parts)
    assert all(np.array_equal(a, b) for a, b in zip(found, plain, strict=True))


def test_what_is_left_of_it_weighs_as_before() -> None:
    whole = MapMean((0.5, 0.3, 0.2, 0.0))
    left = whole.among([0, 2])
    assert left is not None
    assert left.weights == pytest.approx((5 / 7, 2 / 7))
    assert whole.among([3]) is None


def test_its_json_is_told_from_that_of_other_blends() -> None:
    for blend in (MapMean((0.25, 0.75)), Blend("mean", (0.5, 0.5))):
        again = blend_from_json(json.loads(json.dumps(blend.to_json())))
        assert again == blend
        assert type(again) is type(blend)
    with pytest.raises(DataError, match="not a mean of maps"):
        blend_from_json({"takes": "maps"})


def test_members_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="mean of 2 maps, found 1"):
        MapMean((0.5, 0.5)).apply([drawn(0)])
    with pytest.raises(DataError, match="different sizes"):
        MapMean((0.5, 0.5)).apply([drawn(0), constant_maps(SIZES[::-1], np.zeros(2, np.uint8))])


def test_blends_of_scores_keep_some_members_only_where_weights_alone_mix_them() -> None:
    left = Blend("weighted", (0.6, 0.2, 0.2)).among([0, 2])
    assert left is not None
    assert left.weights == pytest.approx((0.75, 0.25))
    assert Blend("weighted", (0.6, -0.2, 0.6)).among([0, 2]) is None
    ranks = Blend.from_json({**Blend("x", (0.5, 0.5)).to_json(), "scale": {"name": "votes"}})
    assert ranks.among([0, 1]) is None
