"""Fitting masks: the best of all pairs on the rows it may see, and of no others."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from foldwise.decide.component_tree import SHAPES
from foldwise.decide.decision import Step
from foldwise.decide.fit_masks import fit_masks
from foldwise.decide.mask_curves import (
    AIMS,
    FEW_GROUPS,
    LEAST_GRID,
    Curves,
    MaskCurves,
    mask_curves,
)
from foldwise.decide.mask_steps import masks, top_means
from foldwise.errors import NoExactFitError
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import encode
from foldwise.metrics import METRICS
from tests.decide.made_maps import SIZE, made_maps

NUM = 24
FOLDS = np.arange(NUM) % 3
STEP = Step("masks", {"thresholds": 0.5, "smallest_areas": 0})


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maps, Masks]:
    """Maps that find the truth when cut at other levels than a half; half the truths are empty."""
    path = tmp_path_factory.mktemp("maps") / "maps.arrow"
    return made_maps(path, NUM, np.random.default_rng(0), lifts=(0, 40))


def curves(known: tuple[Maps, Masks], metric: str, **more: Any) -> MaskCurves:
    return mask_curves(*known, FOLDS, metric=metric, workers=2, **more)


def score(known: tuple[Maps, Masks], metric: str, step: Step, rows: np.ndarray) -> float:
    maps, truths = known
    answers = masks(maps[rows], **step.options)
    found = METRICS[metric]
    assert found.count is not None
    counts = found.count(answers.runs, truths[rows].runs, 2, None)
    return found(counts, np.zeros(len(rows)))


@pytest.mark.parametrize("metric", AIMS)
@pytest.mark.parametrize("without", [None, 1])
def test_no_grid_finds_better_ones(
    known: tuple[Maps, Masks], metric: str, without: int | None
) -> None:
    rows = np.flatnonzero(without != FOLDS) if without is not None else np.arange(NUM)
    step = fit_masks(STEP, curves(known, metric), folds=set(FOLDS[rows].tolist()))
    assert step.fitted
    best = score(known, metric, step, rows)
    grid = [
        Step("masks", {"thresholds": [one, two], "smallest_areas": [area, area]})
        for one, two, area in product((0.2, 0.3, 0.4, 0.5), (0.2, 0.3, 0.4, 0.5), (0, 4, 12))
    ]
    assert best >= max(score(known, metric, each, rows) for each in grid) - 1e-12
    assert best > score(known, metric, STEP, rows) + 0.05


def test_a_fold_that_is_left_out_has_no_part(known: tuple[Maps, Masks]) -> None:
    maps, truths = known
    whole = curves(known, "mean_dice")
    rows = np.flatnonzero(FOLDS != 2)
    few = mask_curves(maps[rows], truths[rows], FOLDS[rows], metric="mean_dice")
    plain: dict[str, Any] = {}
    for more in (plain, {"any_shape": True, "any_top": True}):
        found = fit_masks(STEP, whole, folds=(0, 1), **more)
        assert found == fit_masks(STEP, few, **more)
        assert found != fit_masks(STEP, whole, folds=(2,), **more)


def test_classes_that_few_groups_show_are_decided_alike(known: tuple[Maps, Masks]) -> None:
    groups = np.arange(NUM) // 4  # Six groups, fewer than it takes.
    assert len(set(groups.tolist())) < FEW_GROUPS
    alike = fit_masks(STEP, curves(known, "mean_dice", groups=groups), any_shape=True).options
    for name in ("thresholds", "smallest_areas", "largest_only", "fill"):
        assert len(set(alike[name])) == 1
    apart = fit_masks(STEP, curves(known, "mean_dice")).options
    assert len(set(apart["thresholds"])) == 2


@pytest.mark.parametrize("any_top", [False, True])
def test_classes_may_be_given_the_same_values(known: tuple[Maps, Masks], any_top: bool) -> None:
    found, every = curves(known, "mean_dice"), np.arange(NUM)
    alike = fit_masks(STEP, found, any_top=any_top, alike=True)
    assert all(len(set(alike.options[name])) == 1 for name in ("thresholds", "smallest_areas"))
    best = score(known, "mean_dice", alike, every)
    grid = [
        Step("masks", {"thresholds": level, "smallest_areas": area})
        for level, area in product((0.2, 0.25, 0.3, 0.35, 0.4, 0.5), (0, 4, 6, 12))
    ]
    assert best >= max(score(known, "mean_dice", each, every) for each in grid) - 1e-12
    assert best < score(known, "mean_dice", fit_masks(STEP, found, any_top=any_top), every)


def test_what_does_not_count_is_not_fitted_to(known: tuple[Maps, Masks]) -> None:
    maps, truths = known
    everything = Masks(truths.runs, 2, encode([np.ones(SIZE, bool)] * NUM))
    found = curves((maps, everything), "mean_dice")
    step = fit_masks(STEP, found, any_top=True, any_shape=True)
    assert step.options == {
        "thresholds": [128 / 255] * 2,
        "smallest_areas": [0, 0],
        "largest_only": [False, False],
        "fill": [False, False],
        "top_scores": [0.0, 0.0],
    }


def test_top_score_threshold_and_area_are_the_best_together(known: tuple[Maps, Masks]) -> None:
    every, found = np.arange(NUM), curves(known, "mean_dice")
    plain, step = (fit_masks(STEP, found, any_top=any_top) for any_top in (False, True))
    best = score(known, "mean_dice", step, every)
    assert best >= score(known, "mean_dice", plain, every)
    grid = [
        Step("masks", {"thresholds": level, "smallest_areas": area, "top_scores": least})
        for level, area, least in product((0.25, 0.3, 0.4), (0, 6), (0.2, 0.4, 0.5, 0.6))
    ]
    assert best >= max(score(known, "mean_dice", each, every) for each in grid) - 1e-12


@pytest.fixture(scope="module")
def hollow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maps, Masks]:
    """Things of which maps show the rim, and a speck beside it; of the second class all is there.

    Five levels and 99 pixels, so that every decision there is can be tried.
    """
    rng = np.random.default_rng(2)
    path = tmp_path_factory.mktemp("hollow") / "maps.arrow"
    levels, truths = [], []
    for _ in range(12):
        truth, rims = np.zeros((2, 9, 11), bool), np.zeros((2, 9, 11), np.uint8)
        for index in range(2):
            y, x = rng.integers(0, 4), rng.integers(0, 5)
            tall, wide = rng.integers(3, 6, 2)
            truth[index, y : y + tall, x : x + wide] = True
            rims[index, y : y + tall, x : x + wide] = rng.choice([60, 120, 180])
            if index == 0:
                rims[index, y + 1 : y + tall - 1, x + 1 : x + wide - 1] = rng.choice([0, 60])
        rims[rng.random(rims.shape) < 0.06] = 240
        levels.append(rims)
        truths += list(truth)
    write_maps(path, 2, ((f"{row:02d}", each) for row, each in enumerate(levels)))
    return read_maps(path)[1], Masks(encode(truths), 2)


@pytest.mark.parametrize("any_top", [False, True])
@pytest.mark.parametrize("metric", ["mean_dice", "mean_iou"])
def test_of_all_shapes_the_best_is_taken(
    hollow: tuple[Maps, Masks], metric: str, any_top: bool
) -> None:
    """Every shape, threshold, area and top score there is, tried one by one."""
    maps, truths = hollow
    every = np.arange(len(maps))
    found = mask_curves(maps, truths, every % 3, metric=metric)
    step = fit_masks(STEP, found, any_top=any_top, any_shape=True)
    count = METRICS[metric].count
    assert count is not None
    by_class: dict[int, list[float]] = {0: [], 1: []}
    for shape, level, area, least in product(
        SHAPES, (60, 120, 180, 240), range(0, 22), (0.0, 0.75) if any_top else (0.0,)
    ):
        answers = masks(
            maps,
            thresholds=level / 255,
            smallest_areas=area,
            top_scores=least,
            **shape._asdict(),
        )
        for index, scores in by_class.items():
            here = every * 2 + index
            counts = count(answers.runs.take(here), truths.runs.take(here), 1, None)
            scores.append(METRICS[metric](counts, np.zeros(len(every))))
    best = np.mean([max(scores) for scores in by_class.values()])
    assert score(hollow, metric, step, every) >= best - 1e-12
    if not any_top:
        assert score(hollow, metric, step, every) == pytest.approx(best)
    assert step.options["fill"][0]
    assert score(hollow, metric, fit_masks(STEP, found), every) < best - 0.01


def test_a_shape_that_is_there_stays(hollow: tuple[Maps, Masks]) -> None:
    maps, truths = hollow
    found = mask_curves(maps, truths, np.arange(12) % 3, metric="mean_dice")
    filled = Step("masks", {**STEP.options, "fill": True, "largest_only": [False, True]})
    step = fit_masks(filled, found)
    assert (step.options["fill"], step.options["largest_only"]) == (True, [False, True])
    every = np.arange(12)
    others = [
        replace(step, options={**step.options, "thresholds": [one, two]})
        for one, two in product((60 / 255, 120 / 255, 180 / 255), repeat=2)
    ]
    best = max(score(hollow, "mean_dice", other, every) for other in others)
    assert score(hollow, "mean_dice", step, every) >= best - 1e-12


@pytest.mark.parametrize("num", [1, 40])
def test_top_pixels_are_as_many_as_asked_for(known: tuple[Maps, Masks], num: int) -> None:
    found = curves(known, "mean_dice", options={"top_pixels": num, "fill": True})
    means = np.stack([top_means(levels, num) for levels in known[0]])
    for index in range(2):
        wanted = np.searchsorted(LEAST_GRID, means[:, index], side="right") - 1
        parts = found.parts[Curves(SHAPES[0], (index,))]
        assert set(parts) == set(zip(FOLDS.tolist(), wanted.tolist(), strict=True))


def test_a_metric_without_an_exact_fit_is_named(known: tuple[Maps, Masks]) -> None:
    with pytest.raises(NoExactFitError, match="not for boundary_f"):
        curves(known, "boundary_f")
