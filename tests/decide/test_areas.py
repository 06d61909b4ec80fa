"""Threshold and smallest area: components, curves and fits against labelling every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from foldwise.decide.area_curves import (
    AreaCurves,
    Terms,
    dice_terms,
    iou_terms,
    pooled_terms,
    summed,
)
from foldwise.decide.component_tree import components
from foldwise.decide.fit_areas import AreaFit, Value, first_sum, fit_areas, quotient
from foldwise.masks import IGNORED

CORNERS = np.ones((3, 3))
AREAS = [*range(14), 50, 500]


def some_map(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A map, smooth or of noise, and a truth; every fourth truth is empty."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        levels = rng.integers(0, 256, (9, 13)).astype(np.uint8)
    else:
        smooth = gaussian_filter(rng.standard_normal((14, 17)), 1.5)
        levels = (smooth * 800 + 100).clip(0, 255).astype(np.uint8)
    truth = rng.random(levels.shape) < 0.4
    return levels, truth & (seed % 4 > 0)


def answer(levels: np.ndarray, threshold: int, smallest_area: int) -> np.ndarray:
    """The mask, as whoever labels components makes it."""
    numbers, num = label(levels.astype(int) >= threshold, CORNERS)
    keeps = np.bincount(numbers.ravel(), minlength=num + 1) >= smallest_area
    keeps[0] = False
    found: np.ndarray = keeps[numbers]
    return found


def direct(terms: Terms, seeds: list[int], threshold: int, smallest_area: int) -> np.ndarray:
    """What is summed, from masks."""
    total: np.ndarray | float = 0.0
    for seed in seeds:
        levels, truth = some_map(seed)
        mask = answer(levels, threshold, smallest_area)
        answered, common = (np.array([int(each.sum())]) for each in (mask, mask & truth))
        total = total + terms(answered, common, int(truth.sum()))[0]
    return np.asarray(total)


def curves_of(terms: Terms, seeds: list[int]) -> AreaCurves:
    curves = AreaCurves(terms)
    for seed in seeds:
        levels, truth = some_map(seed)
        curves.add(components(levels, truth), int(truth.sum()))
    return curves


@pytest.mark.parametrize("seed", range(12))
def test_components_are_those_of_labelling_each_threshold(seed: int) -> None:
    levels, truth = some_map(seed)
    found = components(levels, truth)
    assert found.first[0] == found.last[0]
    for threshold in range(1, 257):
        here = slice(found.first[threshold], found.last[threshold])
        numbers, _ = label(levels.astype(int) >= threshold, CORNERS)
        areas = np.bincount(numbers.ravel())[1:]
        commons = np.bincount(numbers.ravel(), truth.ravel())[1:]
        wanted = [
            (area, areas[areas == area].sum(), commons[areas == area].sum())
            for area in np.unique(areas)
        ]
        entries = zip(found.areas[here], found.answered[here], found.common[here], strict=True)
        assert list(entries) == wanted


def test_what_does_not_count_makes_a_component_no_smaller() -> None:
    levels = np.array([[9, 9, 9, 0, 9]], np.uint8)
    marks = np.array([[1, IGNORED, 0, 1, IGNORED]], np.uint8)
    found = components(levels, marks)
    here = slice(found.first[9], found.last[9])
    assert found.areas[here].tolist() == [1, 3]
    assert found.answered[here].tolist() == [0, 2]
    assert found.common[here].tolist() == [0, 1]


@pytest.mark.parametrize("terms", [dice_terms, iou_terms, pooled_terms])
def test_curves_are_the_sums_over_masks(terms: Terms) -> None:
    seeds = list(range(6))
    apart = [curves_of(terms, seeds[:2]), curves_of(terms, seeds[2:])]
    thresholds, areas, sums = summed(apart).steps()
    for threshold in range(1, 257, 3):
        here = np.flatnonzero(thresholds == threshold)
        for smallest_area in AREAS:
            place = here[np.searchsorted(areas[here], smallest_area, side="right") - 1]
            wanted = direct(terms, seeds, threshold, smallest_area)
            np.testing.assert_allclose(sums[place], wanted, atol=1e-9)


def test_a_map_of_weight_two_counts_twice() -> None:
    levels, truth = some_map(1)
    found, true = components(levels, truth), int(truth.sum())
    twice, heavy = AreaCurves(dice_terms), AreaCurves(dice_terms)
    twice.add(found, true)
    twice.add(found, true)
    heavy.add(found, true, weight=2.0)
    for one, two in zip(twice.steps(), heavy.steps(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)


@pytest.mark.parametrize(("terms", "value"), [(dice_terms, first_sum), (pooled_terms, quotient)])
def test_no_other_pair_is_better(terms: Terms, value: Value) -> None:
    seeds = [1, 2, 3, 6]
    found = fit_areas(curves_of(terms, seeds), value=value)
    scores = {
        (threshold, area): float(value(direct(terms, seeds, threshold, area)[None])[0])
        for threshold in range(1, 257)
        for area in range(60)
    }
    best = max(scores.values())
    assert found.value == pytest.approx(best)
    if found.smallest_area < 60:
        assert scores[found.threshold, found.smallest_area] == pytest.approx(best)


def test_of_equally_good_pairs_the_nearest_to_the_fixed_one_is_taken() -> None:
    levels = np.zeros((6, 6), np.uint8)
    levels[1:3, 1:3] = 200
    curves = AreaCurves(dice_terms)
    curves.add(components(levels, levels > 0), 4)
    assert fit_areas(curves) == AreaFit(128, 0, 1.0)
    assert fit_areas(curves, fixed=(230, 3)) == AreaFit(200, 3, 1.0)
    assert fit_areas(curves, fixed=(50, 9)) == AreaFit(50, 4, 1.0)


def test_where_every_answer_is_wrong_the_mask_stays_empty() -> None:
    levels = np.full((3, 3), 255, np.uint8)
    curves = AreaCurves(dice_terms)
    curves.add(components(levels, np.zeros((3, 3), bool)), 0)
    found = fit_areas(curves)
    assert found.value == 1.0
    assert found.threshold == 256 or found.smallest_area > 9
