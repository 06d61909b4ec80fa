"""Sets of views of masks: means of maps, decided without each fold, chosen forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from foldwise.decide import Decision, Step
from foldwise.engine.infer_maps import shown_share
from foldwise.maps.maps import Maps
from foldwise.masks.runs import decode
from foldwise.predictions import Predictions
from foldwise.stages.scoring.held_out import HeldOut, held_out
from foldwise.stages.viewing.map_answers import MapAnswers, distinct
from foldwise.stages.viewing.worth import judge
from foldwise.tasks.problem import Problem
from foldwise.views import View, views_of
from tests.stages.scoring.mask_competition import make_masks

VIEWS = views_of(["identity", "hflip", "vflip", "rot90"])
SECONDS = {view.name: 10.0 for view in VIEWS}


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return make_masks(tmp_path_factory.mktemp("views") / "home")


def maps_of(problem: Problem, noise: float, seed: int) -> Maps:
    """The truth at two thirds, and noise pixel by pixel."""
    target = problem.target
    levels = []
    for row in range(len(target)):
        rng = np.random.default_rng([seed, row])
        truth = np.stack(decode(target[np.array([row])].runs)).astype(np.float64)
        rough = rng.standard_normal(truth.shape)
        levels.append((50 + 120 * truth + noise * rough).clip(0, 255).astype(np.uint8))
    return Maps(target.sizes, 2, np.arange(len(target)), levels.__getitem__)


def everything(view: View, size: tuple[int, int]) -> None:
    return None


def answers(problem: Problem, noise: Sequence[float], *, fitted: bool = False) -> MapAnswers:
    maps = {
        view.name: maps_of(problem, each, seed)
        for seed, (view, each) in enumerate(zip(VIEWS, noise, strict=True))
    }
    held = held_of(problem, maps["identity"])
    if fitted:
        decisions = [
            Decision((Step("masks", {"thresholds": 0.4 + 0.02 * n, "smallest_areas": 2}, True),))
            for n in range(4)
        ]
        by_fold = dict(zip(sorted(set(problem.folds.tolist())), decisions, strict=False))
        held = replace(held, decision=decisions[3], by_fold=by_fold)
    return MapAnswers(held, maps, everything)


def held_of(problem: Problem, maps: Maps) -> HeldOut:
    found = Predictions(problem.train.ids, maps, problem.columns, folds=problem.folds, kind="map")
    return held_out(problem, found, problem.default_decision(), name="run")


def test_a_set_is_the_mean_of_its_maps_by_the_weights_of_its_views(problem: Problem) -> None:
    every = answers(problem, [30.0] * 4)
    views = [VIEWS[0], replace(VIEWS[1], weight=2.0)]
    mean = every.mean(views)
    for row in (0, 5, 107):
        one, two = (every.maps[view.name].read(row).astype(float) for view in views)
        assert np.abs(mean.read(row) - (one + 2 * two) / 3).max() <= 0.5 + 1e-4


def test_pixels_count_in_the_views_that_showed_them(problem: Problem) -> None:
    """A crop's sums are 0 beyond it, and its map of ones is one where the image shows alone."""
    views = views_of(["identity", "centre_0.5"])
    sizes = problem.target.sizes
    side = 32

    def ones(row: int) -> np.ndarray:
        size = tuple(sizes[row].tolist())
        return np.full((2, *size), 200, np.uint8)

    def cut(row: int) -> np.ndarray:
        size = (int(sizes[row, 0]), int(sizes[row, 1]))
        share = shown_share(views[1], side, size)
        assert share is not None
        return np.repeat(np.round(200 * share)[None].astype(np.uint8), 2, axis=0)

    maps = {
        view.name: Maps(sizes, 2, np.arange(len(sizes)), read)
        for view, read in zip(views, (ones, cut), strict=True)
    }
    held = held_of(problem, maps["identity"])
    every = MapAnswers(held, maps, lambda view, size: shown_share(view, side, size))
    assert (maps[views[1].name].read(0) == 0).any()
    for row in (0, 3, 8):
        assert np.abs(every.mean(views).read(row).astype(int) - 200).max() <= 1


@pytest.mark.parametrize("fitted", [False, True])
def test_sets_are_scored_as_the_rows_of_a_run_with_these_maps_would_be(
    problem: Problem, fitted: bool
) -> None:
    every = answers(problem, [60.0, 50.0, 40.0, 70.0], fitted=fitted)
    views = VIEWS[:3]
    plain = replace(every.held, scores=every.mean(views), answered=None)
    assert every.decided(views).score(problem.metric) == plain.score(problem.metric)
    assert every.decided(views[:1]).score(problem.metric) != plain.score(problem.metric)


@pytest.mark.parametrize("fitted", [False, True])
def test_the_set_is_chosen_as_by_trying_each_one_on_the_rows_that_count(
    problem: Problem, fitted: bool
) -> None:
    every = answers(problem, [60.0, 50.0, 55.0, 200.0], fitted=fitted)
    for fold in (None, *every.folds):
        decision = every.held.decision if fold is None else every.held.without(fold)
        rows = every.held.folds != fold

        def score(views: Sequence[View], decision: Decision = decision, rows=rows) -> float:  # type: ignore[no-untyped-def]  # An array of its own fold.
            held = replace(
                every.held, scores=every.mean(views), decision=decision, by_fold=None, answered=None
            )
            return held.among(rows).score(problem.metric)

        chosen = [VIEWS[0]]
        while len(chosen) < len(VIEWS):
            best = max((v for v in VIEWS if v not in chosen), key=lambda v: score([*chosen, v]))
            if score([*chosen, best]) <= score(chosen) + 1e-9:
                break
            chosen.append(best)
        assert every.forward(VIEWS, without=fold) == chosen
        assert len(chosen) > 1


def test_views_that_average_noise_out_are_proposed(problem: Problem) -> None:
    every = answers(problem, [60.0, 60.0, 60.0, 250.0])
    found = judge(every, VIEWS, VIEWS[:2], SECONDS)
    assert set(found.proposed.views) <= {"identity", "hflip", "vflip"}
    assert found.proposed.verdict == "gain"
    by_hand = {fold: every.forward(VIEWS, without=fold) for fold in every.folds}
    assert found.chosen.score == every.crossed(by_hand).score(problem.metric)
    assert found.plain.score == every.decided(VIEWS[:1]).score(problem.metric)


def test_a_set_is_looked_at_once_whatever_number_of_folds_choose_it(problem: Problem) -> None:
    every, read = answers(problem, [60.0] * 4, fitted=True), []

    def counted(maps: Maps) -> Maps:
        def of(row: int) -> np.ndarray:
            read.append(row)
            return maps.of(row)

        return replace(maps, of=of)

    every = replace(every, maps={name: counted(maps) for name, maps in every.maps.items()})
    first = every.forward(VIEWS)
    num = len(read)
    assert num >= len(problem.train) * len(VIEWS)
    assert every.forward(VIEWS) == first
    assert len(read) == num


def test_the_choice_without_a_fold_does_not_look_at_it(problem: Problem) -> None:
    every = answers(problem, [60.0] * 4)
    is_first = every.held.folds == every.folds[0]

    def spoilt(maps: Maps) -> Maps:
        # All set there: whoever looked at the fold would take no other view.
        return replace(maps, of=lambda row: np.maximum(maps.of(row), 255 * np.uint8(is_first[row])))

    others = {name: spoilt(maps) for name, maps in every.maps.items() if name != "identity"}
    other = MapAnswers(every.held, {**every.maps, **others}, everything)
    chosen = [each.forward(VIEWS, without=every.folds[0]) for each in (every, other)]
    assert chosen[0] == chosen[1]
    assert every.forward(VIEWS) != other.forward(VIEWS)


def test_gates_of_the_run_stay_beside_the_means(problem: Problem) -> None:
    every = answers(problem, [30.0] * 4)
    gates = np.full((len(every.held), 2), 0.25)
    gated = Decision(
        (Step("masks", {"chances": [[0.0, 1.0, 0.0]] * 2, "least_chances": 0.5}, True),)
    )
    held = replace(
        every.held, scores=replace(every.held.scores, gates=gates), decision=gated, by_fold=None
    )
    found = replace(every, held=held).decided(VIEWS[:2])
    assert found.answers.areas.sum() == 0
    assert every.decided(VIEWS[:2]).answers.areas.sum() > 0


def test_a_fitted_decision_is_said_to_favour_the_runs_own_views(problem: Problem) -> None:
    assert answers(problem, [30.0] * 4).notes == ()
    (note,) = answers(problem, [30.0] * 4, fitted=True).notes
    assert "fitted to its own views" in note


def test_equal_decisions_are_taken_once(problem: Problem) -> None:
    one, same = (Decision((Step("masks", {"thresholds": 0.5}),)) for _ in range(2))
    other = Decision((Step("masks", {"thresholds": 0.6}),))
    assert distinct([one, other, same]) == [one, other]
