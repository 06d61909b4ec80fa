"""Chances: the best threshold where a class is, the regression behind them, and what pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from foldwise.decide.decision import Step
from foldwise.decide.fit_chances import Evidence, fit_chances, read_evidence
from foldwise.decide.mask_curves import AIMS, FEW_GROUPS, LEAST_GRID
from foldwise.decide.mask_steps import log_odds, masks
from foldwise.errors import NoExactFitError
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import decode, encode
from foldwise.metrics import METRICS
from tests.decide.made_maps import SIZE, made_maps

NUM = 40
EVERY = np.ones(NUM, bool)
STEP = Step("masks", {"thresholds": 0.5, "smallest_areas": 0})


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maps, Masks]:
    """Maps that see things in all samples, where half of the truths are empty; and a gate."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("maps") / "maps.arrow"
    maps, truths = made_maps(path, NUM, rng, lifts=(30, 35))
    gates = np.clip(0.3 + 0.3 * (truths.present > 0) + rng.normal(0, 0.2, (NUM, 2)), 0, 1)
    return replace(maps, gates=gates), truths


def evidence(known: tuple[Maps, Masks], **more: Any) -> Evidence:
    return read_evidence(*known, **{"metric": "mean_dice", **more})


def score(known: tuple[Maps, Masks], step: Step, metric: str = "mean_dice") -> float:
    maps, truths = known
    answers, found = masks(maps, **step.options), METRICS[metric]
    assert found.count is not None
    counts = found.count(answers.runs, truths.runs, 2, truths.ignored)
    return found(counts, np.zeros(len(maps)))


def pooled_iou(known: tuple[Maps, Masks], options: Mapping[str, Any], index: int) -> np.ndarray:
    """(256, L): of a class over all samples, of each level and least chance, by decoded masks."""
    maps, truths = known
    levels = np.stack([maps.read(row)[index] for row in range(NUM)]).reshape(NUM, -1)
    true = np.stack(decode(truths.runs)).reshape(NUM, 2, -1)[:, index] > 0
    assert maps.gates is not None
    tops = read_evidence(maps, truths, metric="mean_iou").tops
    constant, of_gate, of_top = options["chances"][index]
    gate, top = log_odds(maps.gates[:, index]), log_odds(tops[:, index])
    chances = 1 / (1 + np.exp(-(constant + of_gate * gate + of_top * top)))
    is_given = np.array([chances >= least for least in LEAST_GRID])
    scores = []
    for level in range(256):
        answered = levels >= level
        both = is_given @ (answered & true).sum(axis=1)
        scores.append(both / (is_given @ answered.sum(axis=1) + true.sum() - both))
    return np.array(scores)


def where_there(known: tuple[Maps, Masks], level: int, index: int, metric: str) -> float:
    """Mean score of a class over the samples that show it, by an oracle that decodes."""
    maps, truths = known
    scores = []
    for row in np.flatnonzero(truths.present[:, index]):
        truth = np.stack(decode(truths[np.array([row])].runs))[index] > 0
        answer = maps.read(row)[index] >= level
        both = (answer & truth).sum()
        whole = (answer | truth).sum()
        scores.append(both / whole if metric == "mean_iou_per_image" else 2 * both / (whole + both))
    return float(np.mean(scores))


@pytest.mark.parametrize("metric", ["mean_dice", "mean_iou_per_image"])
def test_the_threshold_is_the_best_where_the_class_is_and_pays_from_its_score_on(
    known: tuple[Maps, Masks], metric: str
) -> None:
    options = fit_chances(STEP, evidence(known, metric=metric), EVERY, gated=True).options
    for index in range(2):
        scores = [where_there(known, level, index, metric) for level in range(256)]
        level = round(options["thresholds"][index] * 255)
        assert scores[level] == pytest.approx(max(scores), abs=1e-6)
        assert options["least_chances"][index] == pytest.approx(1 / (1 + max(scores)), abs=1e-6)
    assert set(options) == {"thresholds", "chances", "least_chances"}


def test_where_pixels_are_pooled_threshold_and_chance_are_the_best_together(
    known: tuple[Maps, Masks],
) -> None:
    """Of all thresholds and least chances of the grid, tried one by one."""
    step = fit_chances(STEP, evidence(known, metric="mean_iou"), EVERY, gated=True)
    best = [pooled_iou(known, step.options, index).max() for index in range(2)]
    assert score(known, step, "mean_iou") == pytest.approx(np.mean(best))
    assert max(step.options["least_chances"]) > 0
    ungated = fit_chances(STEP, evidence(known, metric="mean_iou"), EVERY, gated=False)
    assert score(known, step, "mean_iou") > score(known, ungated, "mean_iou") + 0.02


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_chances_are_the_ridge_logistic_regression(
    known: tuple[Maps, Masks], gated: bool, weighted: bool
) -> None:
    weight = np.random.default_rng(3).uniform(0.5, 2, NUM) if weighted else None
    found = evidence(known, weight=weight)
    parts = np.array(fit_chances(STEP, found, EVERY, gated=gated).options["chances"])
    tops, present = log_odds(found.tops), found.present.astype(float)
    beside = log_odds(known[0].gates) if known[0].gates is not None and gated else 0 * tops
    heavy = np.ones(NUM) if weight is None else weight

    def loss(values: np.ndarray) -> float:
        constant, of_class, gate, top = values[0], values[1:3], values[3], values[4]
        odds = constant + of_class + gate * beside + top * tops
        each = np.logaddexp(0, odds) - present * odds
        return float((each * heavy[:, None]).sum() + 0.5 * (values[1:] ** 2).sum())

    best = minimize(loss, np.zeros(5), method="BFGS", tol=1e-10).x
    wanted = np.stack([best[0] + best[1:3], np.full(2, best[3]), np.full(2, best[4])], axis=1)
    np.testing.assert_allclose(parts, wanted, atol=5e-3)
    assert (parts[:, 1] > 0).all() == gated


def test_what_a_gate_knows_raises_the_score(known: tuple[Maps, Masks]) -> None:
    found = evidence(known)
    without, gated = (fit_chances(STEP, found, EVERY, gated=gated) for gated in (False, True))
    assert score(known, gated) > score(known, without) + 0.02
    maps, truths = known
    sure = (replace(maps, gates=(truths.present > 0).astype(float)), truths)
    assert score(sure, fit_chances(STEP, evidence(sure), EVERY, gated=True)) > score(known, gated)


@pytest.mark.parametrize("metric", AIMS)
def test_samples_that_are_left_out_have_no_part(known: tuple[Maps, Masks], metric: str) -> None:
    maps, truths = known
    whole, chosen = evidence(known, metric=metric), np.arange(NUM) % 3 != 2
    few = evidence((maps[np.flatnonzero(chosen)], truths[np.flatnonzero(chosen)]), metric=metric)
    for gated in (False, True):
        found = fit_chances(STEP, whole, chosen, gated=gated)
        assert found == fit_chances(STEP, few, np.ones(len(few.tops), bool), gated=gated)
        assert found != fit_chances(STEP, whole, ~chosen, gated=gated)


def test_classes_that_few_groups_show_share_a_threshold(known: tuple[Maps, Masks]) -> None:
    groups = np.arange(NUM) // 8
    assert len(set(groups.tolist())) < FEW_GROUPS
    alike = fit_chances(STEP, evidence(known, groups=groups), EVERY, gated=True).options
    assert len(set(alike["thresholds"])) == len(set(alike["least_chances"])) == 1
    apart = fit_chances(STEP, evidence(known), EVERY, gated=True).options
    assert len(set(apart["least_chances"])) == 2


@pytest.mark.parametrize("metric", AIMS)
def test_a_class_that_is_never_there_is_not_answered(
    known: tuple[Maps, Masks], metric: str
) -> None:
    maps, truths = known
    runs = encode(
        [mask * (row % 2 == 0) for row, mask in enumerate(decode(truths.runs))]
    )  # Of each sample the first class alone.
    alone = Masks(runs, 2)
    step = fit_chances(STEP, evidence((maps, alone), metric=metric), EVERY, gated=True)
    assert step.options["thresholds"][1] > 1
    assert not masks(maps, **step.options).present[:, 1].any()


def test_pixels_that_do_not_count_have_no_part(known: tuple[Maps, Masks]) -> None:
    """What maps say where nothing counts changes nothing but their top pixels."""
    maps, truths = known
    right = np.zeros(SIZE, bool)
    right[:, 8:] = True
    left = encode([mask * ~right for mask in decode(truths.runs)])
    ignored = Masks(left, 2, encode([right] * NUM))
    spoilt = replace(maps, of=lambda row: np.where(right, 255 - maps.of(row), maps.of(row)))
    first, second = (
        fit_chances(STEP, evidence((each, ignored)), EVERY, gated=False).options
        for each in (maps, spoilt)
    )
    assert first["thresholds"] == second["thresholds"]
    assert first["least_chances"] == second["least_chances"]
    all_count = fit_chances(STEP, evidence((spoilt, Masks(left, 2))), EVERY, gated=False).options
    assert all_count["thresholds"] != first["thresholds"]


def test_samples_without_weight_have_no_part(known: tuple[Maps, Masks]) -> None:
    chosen = np.arange(NUM) % 3 != 2
    found = fit_chances(STEP, evidence(known, weight=chosen * 1.0), EVERY, gated=True)
    assert found == fit_chances(STEP, evidence(known), chosen, gated=True)


def test_what_cannot_be_fitted_is_said(known: tuple[Maps, Masks]) -> None:
    with pytest.raises(NoExactFitError, match="not for boundary_f"):
        evidence(known, metric="boundary_f")
    maps, truths = known
    for shown in (truths.present.sum(axis=1) == 0, truths.present.all(axis=1)):
        with pytest.raises(NoExactFitError, match="or all show everything"):
            fit_chances(STEP, evidence((maps, truths)), shown, gated=False)
