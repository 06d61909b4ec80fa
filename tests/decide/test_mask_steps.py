"""Deciding masks: each option against labelled pixels, and the steps in their order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, gaussian_filter, label

from foldwise.decide.mask_steps import chance_of, masks, surest_class, top_means
from foldwise.errors import ConfigError
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import decode

CORNERS = np.ones((3, 3))
SIZES = [(20, 30), (31, 17), (5, 5)]


def some_levels() -> list[np.ndarray]:
    """(2, H, W) of each sample."""
    rng = np.random.default_rng(0)
    return [
        (gaussian_filter(rng.standard_normal((2, *size)), (0, 1.5, 1.5)) * 700 + 120)
        .clip(0, 255)
        .astype(np.uint8)
        for size in SIZES
    ]


@pytest.fixture
def maps(tmp_path: Path) -> Maps:
    write_maps(tmp_path / "maps.arrow", 2, zip("abc", some_levels(), strict=True))
    return read_maps(tmp_path / "maps.arrow")[1]


def pixels(found: Masks) -> list[np.ndarray]:
    """(2, H, W) bool of each sample."""
    each = decode(found.runs)
    return [np.stack(each[row : row + 2]).astype(bool) for row in range(0, len(each), 2)]


def slowly(
    levels: np.ndarray,
    *,
    threshold: float = 0.5,
    smallest_area: int = 0,
    largest_only: bool = False,
    fill: bool = False,
    top_score: float = 0.0,
) -> np.ndarray:
    """What one class's map is decided to be."""
    num_top = max(1, round(0.001 * levels.size))
    if np.sort(levels.ravel())[::-1][:num_top].mean() / 255 < top_score:
        return np.zeros(levels.shape, bool)
    numbers, num = label(levels / 255 >= threshold - 1e-12, CORNERS)
    areas = np.bincount(numbers.ravel(), minlength=num + 1)
    areas[0] = 0
    keeps = areas >= max(smallest_area, 1)
    if largest_only and keeps.any():
        keeps = np.arange(num + 1) == np.argmax(areas)
    found: np.ndarray = keeps[numbers]
    return binary_fill_holes(found) if fill else found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": (0.3, 0.8)},
        {"threshold": (0.5, 1.01)},
        {"smallest_area": (6, 40)},
        {"largest_only": (True, False)},
        {"fill": (True, True), "threshold": (0.45, 0.5)},
        {"top_score": (0.9, 0.99)},
        {
            "threshold": (0.4, 0.55),
            "smallest_area": (9, 0),
            "largest_only": (False, True),
            "fill": (True, False),
            "top_score": (0.5, 0.7),
        },
    ],
)
def test_masks_are_those_of_labelled_pixels(
    maps: Maps, options: dict[str, tuple[Any, Any]]
) -> None:
    plural = {
        "threshold": "thresholds",
        "smallest_area": "smallest_areas",
        "top_score": "top_scores",
    }
    given = {plural.get(name, name): list(values) for name, values in options.items()}
    found = masks(maps, **given)
    assert found.sizes.tolist() == [list(size) for size in SIZES]
    for levels, own in zip(some_levels(), pixels(found), strict=True):
        for index in range(2):
            wanted = slowly(levels[index], **{name: v[index] for name, v in options.items()})
            np.testing.assert_array_equal(own[index], wanted)


def test_one_value_serves_all_classes(maps: Maps) -> None:
    one = masks(maps, thresholds=0.6, smallest_areas=5)
    each = masks(maps, thresholds=[0.6, 0.6], smallest_areas=[5, 5])
    assert one.tobytes() == each.tobytes()
    with pytest.raises(ConfigError, match="thresholds: 3 values for 2 classes"):
        masks(maps, thresholds=[0.1, 0.2, 0.3])


def test_each_pixel_is_of_the_surest_class(maps: Maps) -> None:
    for levels, own in zip(some_levels(), pixels(surest_class(maps)), strict=True):
        np.testing.assert_array_equal(own[1], levels[1] > levels[0])
        np.testing.assert_array_equal(own[0], ~own[1])


def test_a_class_waits_for_the_chance_that_it_is_there(maps: Maps) -> None:
    gates = np.array([[0.9, 0.1], [0.3, 0.6], [0.0, 1.0]])
    tops = np.stack(
        [top_means(each, max(1, round(0.001 * each[0].size))) for each in some_levels()]
    )
    parts = [[0.5, 1.0, 2.0], [-1.0, 0.5, 1.0]]
    chances = chance_of(np.array(parts), gates, tops)
    assert ((chances > 0) & (chances < 1)).all()  # However sure a witness is.
    least = [float(np.median(each)) for each in chances.T]
    plain = pixels(masks(maps, thresholds=0.4))
    gated = replace(maps, gates=gates)
    found = pixels(masks(gated, thresholds=0.4, chances=parts, least_chances=least))
    is_open = chances >= least
    assert 0 < is_open.sum() < is_open.size
    for row, (own, wanted) in enumerate(zip(found, plain, strict=True)):
        np.testing.assert_array_equal(own, wanted & is_open[row][:, None, None])


def test_chances_of_gates_need_them(maps: Maps) -> None:
    with pytest.raises(ConfigError, match="there are none beside the maps"):
        masks(maps, chances=[[0.0, 1.0, 1.0]] * 2)
    with pytest.raises(ConfigError, match="there are no chances"):
        masks(maps, least_chances=0.4)
    nothing = masks(maps, chances=[[np.nan, 0.0, 1.0]] * 2, least_chances=0.4)
    assert not nothing.present.any()
    for wrong in ([[0.0, 0.0, 1.0]], [[0.0, 1.0]] * 2):
        with pytest.raises(ConfigError, match="three numbers for each of 2 classes"):
            masks(maps, chances=wrong)


def test_no_samples_have_no_masks(maps: Maps) -> None:
    nothing = maps[np.array([], dtype=int)]
    for decide in (masks, surest_class):
        assert len(decide(nothing)) == 0


@pytest.mark.parametrize("num", [1, 7, 20, 25])
def test_top_pixels_need_no_sorting(num: int) -> None:
    for levels in some_levels():
        wanted = [np.sort(each.ravel())[::-1][:num].mean() / 255 for each in levels]
        np.testing.assert_allclose(top_means(levels, num), wanted)


def test_top_pixels_are_a_number_or_a_share(maps: Maps) -> None:
    """Of 600, 527 and 25 pixels a tenth are 60, 53 and 2."""
    for nums, options in (
        ((60, 60, 25), {"top_pixels": 60, "top_share": 0.9}),
        ((60, 53, 2), {"top_share": 0.1}),
    ):
        pairs = zip(maps, nums, strict=True)
        means = np.stack([top_means(levels, num) for levels, num in pairs])
        least = float(np.median(means))
        found = masks(maps, thresholds=0.0, top_scores=least, **options)
        np.testing.assert_array_equal(found.present, means >= least)
        assert 0 < found.present.sum() < found.present.size
