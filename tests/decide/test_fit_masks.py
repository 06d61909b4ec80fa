"""Fitting masks: the best of all pairs on the rows it may see, and of no others."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from foldwise.decide.decision import Step
from foldwise.decide.fit_masks import AIMS, FEW_GROUPS, MaskCurves, mask_curves
from foldwise.decide.mask_steps import masks
from foldwise.errors import ConfigError, NoExactFitError
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import encode
from foldwise.metrics import METRICS

NUM, SIZE = 24, (12, 16)
FOLDS = np.arange(NUM) % 3
STEP = Step("masks", {"thresholds": 0.5, "smallest_areas": 0})


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maps, Masks]:
    """Maps that find the truth when cut at other levels than a half; half the truths are empty."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("maps") / "maps.arrow"
    levels, truths = [], []
    for row in range(NUM):
        hidden = gaussian_filter(rng.standard_normal((2, *SIZE)), (0, 1.5, 1.5)) * 8
        truth = hidden > (1.0 if row % 2 else 99.0)
        noise = gaussian_filter(rng.standard_normal((2, *SIZE)), (0, 0.7, 0.7))
        levels.append((60 + 40 * truth + 40 * noise).clip(0, 255).astype(np.uint8))
        truths += list(truth)
    write_maps(path, 2, ((f"{row:02d}", each) for row, each in enumerate(levels)))
    return read_maps(path)[1], Masks(encode(truths), 2)


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
    step = curves(known, metric).fit(STEP, folds=set(FOLDS[rows].tolist()))
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
    whole = curves(known, "mean_dice").fit(STEP, folds=(0, 1))
    rows = np.flatnonzero(FOLDS != 2)
    few = mask_curves(maps[rows], truths[rows], FOLDS[rows], metric="mean_dice").fit(STEP)
    assert whole == few


def test_classes_that_few_groups_show_are_decided_alike(known: tuple[Maps, Masks]) -> None:
    groups = np.arange(NUM) // 4  # Six groups, fewer than it takes.
    assert len(set(groups.tolist())) < FEW_GROUPS
    alike = curves(known, "mean_dice", groups=groups).fit(STEP).options
    assert len(set(alike["thresholds"])) == len(set(alike["smallest_areas"])) == 1
    apart = curves(known, "mean_dice").fit(STEP).options
    assert len(set(apart["thresholds"])) == 2


def test_what_does_not_count_is_not_fitted_to(known: tuple[Maps, Masks]) -> None:
    maps, truths = known
    everything = Masks(truths.runs, 2, encode([np.ones(SIZE, bool)] * NUM))
    step = curves((maps, everything), "mean_dice").fit(STEP)
    assert step.options["thresholds"] == [128 / 255] * 2
    assert step.options["smallest_areas"] == [0, 0]


@pytest.mark.parametrize("gate", ["gates", "top_scores"])
def test_gate_threshold_and_area_are_the_best_together(
    known: tuple[Maps, Masks], gate: str
) -> None:
    maps, truths = known
    sure = np.random.default_rng(1).uniform(0, 0.6, (NUM, 2)) + 0.35 * truths.present
    pair = (replace(maps, gates=sure), truths)
    every = np.arange(NUM)
    found = {name: curves(pair, "mean_dice", gate=name) for name in (None, gate)}
    steps = {name: each.fit(STEP) for name, each in found.items()}
    scores = {name: score(pair, "mean_dice", step, every) for name, step in steps.items()}
    assert scores[gate] >= scores[None]
    assert found[gate].fit(STEP, is_gated=False) == steps[None]
    if gate == "gates":
        assert scores[gate] > scores[None] + 0.01
    grid = [
        Step("masks", {"thresholds": level, "smallest_areas": area, gate: least})
        for level, area, least in product((0.25, 0.3, 0.4), (0, 6), (0.2, 0.4, 0.5, 0.6))
    ]
    best = max(score(pair, "mean_dice", each, every) for each in grid)
    assert scores[gate] >= best - 1e-12


def test_no_gate_is_taken_before_one_that_gains_nothing(known: tuple[Maps, Masks]) -> None:
    maps, truths = known
    pair = (replace(maps, gates=np.ones((NUM, 2))), truths)
    assert curves(pair, "mean_dice", gate="gates").fit(STEP).options["gates"] == [0.0, 0.0]


def test_a_decision_with_gates_needs_them(known: tuple[Maps, Masks]) -> None:
    with pytest.raises(ConfigError, match="there are none beside the maps"):
        masks(known[0], gates=0.3)


def test_a_metric_without_an_exact_fit_is_named(known: tuple[Maps, Masks]) -> None:
    with pytest.raises(NoExactFitError, match="not for boundary_f"):
        curves(known, "boundary_f")
