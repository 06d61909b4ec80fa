"""Threshold and smallest area: components, curves and fits against labelling every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, gaussian_filter, label

from foldwise.decide import area_curves
from foldwise.decide.area_curves import (
    AreaCurves,
    Changes,
    Terms,
    areas_tried,
    changes,
    changes_of,
    dice_terms,
    iou_terms,
    pooled_terms,
)
from foldwise.decide.component_tree import SHAPES, Shape, components
from foldwise.decide.fit_areas import AreaFit, Value, first_sum, fit_areas, quotient
from foldwise.masks import IGNORED

CORNERS = np.ones((3, 3))
AREAS = [*range(14), 50, 500]
PLAIN = SHAPES[0]
TRIED = areas_tried(14 * 17)


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


def answer(
    levels: np.ndarray, threshold: int, smallest_area: int, shape: Shape = PLAIN
) -> np.ndarray:
    """The mask, as whoever labels components makes it."""
    numbers, num = label((levels.astype(int) >= threshold).T, CORNERS)  # Down the columns first.
    areas = np.bincount(numbers.ravel(), minlength=num + 1)
    areas[0] = 0
    keeps = areas >= max(smallest_area, 1)
    if shape.largest_only and keeps.any():
        keeps = np.arange(num + 1) == np.argmax(areas)
    found: np.ndarray = keeps[numbers].T
    return binary_fill_holes(found) if shape.fill else found


def direct(
    terms: Terms, seeds: list[int], threshold: int, smallest_area: int, shape: Shape = PLAIN
) -> np.ndarray:
    """What is summed, from masks."""
    total: np.ndarray | float = 0.0
    for seed in seeds:
        levels, truth = some_map(seed)
        mask = answer(levels, threshold, smallest_area, shape)
        answered, common = (np.array([int(each.sum())]) for each in (mask, mask & truth))
        total = total + terms(answered, common, int(truth.sum()))[0]
    return np.asarray(total)


def curves_of(terms: Terms, seeds: list[int], shape: Shape = PLAIN) -> AreaCurves:
    curves = AreaCurves.of_none(terms, TRIED)
    for seed in seeds:
        curves.add(added(*some_map(seed), terms, shape))
    return curves


def added(
    levels: np.ndarray, truth: np.ndarray, terms: Terms = dice_terms, shape: Shape = PLAIN
) -> Changes:
    return changes(components(levels, truth)[shape], int(truth.sum()), terms, TRIED)


def sums_of(*parts: AreaCurves) -> np.ndarray:
    return np.cumsum(changes_of(parts), axis=1)


def nested_map(seed: int) -> np.ndarray:
    """Rings in rings, thin and thick, some broken, some at the map's edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:22, :26]
    levels = np.zeros(y.shape)
    for _ in range(6):
        away = np.maximum(abs(y - rng.integers(22)), abs(x - rng.integers(26)))
        size, thick = rng.integers(2, 11), rng.integers(1, 4)
        levels = np.where(abs(away - size) < thick, rng.integers(20, 256), levels)
    levels[rng.random(levels.shape) < 0.05] = 0
    return levels.astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_entries_of_a_shape_sum_up_to_its_masks(seed: int, shape: Shape) -> None:
    levels = nested_map(seed) if seed < 6 else some_map(seed)[0]
    marks = np.random.default_rng(seed).choice(
        np.array([0, 1, IGNORED], np.uint8), levels.shape, p=(0.5, 0.4, 0.1)
    )
    found = components(levels, marks)[shape]
    for threshold in range(1, 257, 5):
        here = slice(found.first[threshold], found.last[threshold])
        for smallest_area in (*AREAS, *found.areas[here], *(found.areas[here] + 1)):
            mask = answer(levels, threshold, smallest_area, shape)
            kept = found.areas[here] >= smallest_area
            assert found.answered[here][kept].sum() == (mask & (marks != IGNORED)).sum()
            assert found.common[here][kept].sum() == (mask & (marks == 1)).sum()


@pytest.mark.parametrize("seed", range(12))
def test_components_are_those_of_labelling_each_threshold(seed: int) -> None:
    levels, truth = some_map(seed)
    found = components(levels, truth)[PLAIN]
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
    found = components(levels, marks)[PLAIN]
    here = slice(found.first[9], found.last[9])
    assert found.areas[here].tolist() == [1, 3]
    assert found.answered[here].tolist() == [0, 2]
    assert found.common[here].tolist() == [0, 1]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("terms", [dice_terms, iou_terms, pooled_terms])
def test_sums_are_those_over_masks(terms: Terms, shape: Shape) -> None:
    seeds = list(range(6))
    parts = [curves_of(terms, seeds[part::3], shape) for part in range(3)]
    sums = sums_of(parts[0], parts[2])
    for threshold in range(1, 257, 3):
        for smallest_area in (*AREAS[:-1], TRIED[-1]):
            wanted = direct(terms, [0, 3, 2, 5], threshold, smallest_area, shape)
            np.testing.assert_allclose(sums[threshold, smallest_area], wanted, atol=1e-9)


def test_areas_that_are_tried_drop_what_labelling_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two that are far apart, too, each of the two does what it says."""
    monkeypatch.setattr(area_curves, "_EVERY", 6)
    monkeypatch.setattr(area_curves, "_PER_OCTAVE", 3)
    areas = areas_tried(14 * 17)
    assert areas[:9].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    assert len(areas) < 30
    assert (np.diff(areas) > 0).all()
    assert areas[-1] > 14 * 17
    for seed in range(4):
        levels, truth = some_map(seed)
        curves = AreaCurves.of_none(dice_terms, areas)
        found = components(levels, truth)[PLAIN]
        curves.add(changes(found, int(truth.sum()), dice_terms, areas))
        sums = sums_of(curves)
        for threshold in range(1, 257, 3):
            for place, smallest_area in enumerate(areas.tolist()):
                wanted = direct(dice_terms, [seed], threshold, smallest_area)
                np.testing.assert_allclose(sums[threshold, place], wanted, atol=1e-9)


@pytest.mark.parametrize("largest", [1, 511, 512, 513, 600, 409_600])
def test_areas_are_tried_one_by_one_then_a_hundredth_apart(largest: int) -> None:
    areas = areas_tried(largest)
    every = min(largest + 1, 513)
    np.testing.assert_array_equal(areas[: every + 1], np.arange(every + 1))
    assert areas[-2] <= largest < areas[-1]
    assert (areas[every + 1 :] <= areas[every:-1] * 1.011 + 1).all()
    assert len(areas) < 1200


def test_sums_are_the_same_however_often_they_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = list(range(8))
    rarely = curves_of(dice_terms, seeds)
    monkeypatch.setattr(area_curves, "_MOST_APART", 0)
    often = curves_of(dice_terms, seeds)
    np.testing.assert_allclose(sums_of(rarely), sums_of(often), atol=1e-12)


def test_a_map_of_weight_two_counts_twice() -> None:
    found = added(*some_map(1))
    twice, heavy = (AreaCurves.of_none(dice_terms, TRIED) for _ in range(2))
    twice.add(found)
    twice.add(found)
    heavy.add(found, weight=2.0)
    np.testing.assert_allclose(sums_of(twice), sums_of(heavy), atol=1e-9)


@pytest.mark.parametrize(("terms", "value"), [(dice_terms, first_sum), (pooled_terms, quotient)])
def test_no_other_pair_is_better(terms: Terms, value: Value) -> None:
    seeds = [1, 2, 3, 6]
    found = fit_areas(sums_of(curves_of(terms, seeds)), TRIED, value=value)
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
    curves = AreaCurves.of_none(dice_terms, TRIED)
    curves.add(added(levels, levels > 0))
    sums = sums_of(curves)
    assert fit_areas(sums, TRIED) == AreaFit(128, 0, 1.0)
    assert fit_areas(sums, TRIED, fixed=(230, 3)) == AreaFit(200, 3, 1.0)
    assert fit_areas(sums, TRIED, fixed=(50, 9)) == AreaFit(50, 4, 1.0)


def test_where_every_answer_is_wrong_the_mask_stays_empty() -> None:
    levels = np.full((3, 3), 255, np.uint8)
    curves = AreaCurves.of_none(dice_terms, TRIED)
    curves.add(added(levels, np.zeros((3, 3), bool)))
    found = fit_areas(sums_of(curves), TRIED)
    assert found.value == 1.0
    assert found.threshold == 256 or found.smallest_area > 9
