"""Sets of views: their gains are cross-fitted, the choice included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise.home import Home
from foldwise.predictions import Predictions
from foldwise.stages.prepare import prepare
from foldwise.stages.scoring.choice import fit_last
from foldwise.stages.scoring.held_out import HeldOut, held_out
from foldwise.stages.split import split
from foldwise.stages.viewing.answers import Answers
from foldwise.stages.viewing.worth import judge
from foldwise.tasks.problem import Problem, open_problem
from foldwise.views import views_of
from tests.builders import make_home

VIEWS = views_of(["square"])
SECONDS = {view.name: 10.0 for view in VIEWS}


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("views")
    home: Home = make_home(folder, task="ordinal", num_train=180)
    prepare(home)
    split(home)
    return open_problem(home)


def answers(problem: Problem, noise: dict[str, float], kind: str = "fixed") -> Answers:
    """The true grades and noise: one part that all views share, and one of each view."""
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 0.4, len(problem.train))
    scores = {}
    for view in VIEWS:
        own = rng.normal(0, 1, len(problem.train)) * noise.get(view.name, 0.0)
        scores[view.name] = (problem.target + shared + own)[:, None]
    folds = sorted(set(problem.folds.tolist()))
    rows = held(problem, scores["identity"])
    method = "shares" if kind == "shares" else "exact"
    decision = rows.decision if kind == "fixed" else fit_last(rows, method)
    return Answers(rows, scores, dict.fromkeys(folds, decision), kind == "shares")


def held(problem: Problem, scores: np.ndarray) -> HeldOut:
    found = Predictions(problem.train.ids, scores, problem.columns, folds=problem.folds)
    return held_out(problem, found, problem.default_decision(), name="run")


def test_a_view_that_adds_nothing_new_gains_nothing_and_is_not_chosen(problem):
    found = judge(answers(problem, {}), VIEWS, VIEWS[:2], SECONDS)
    assert found.chosen.views == ("identity",)
    assert found.steps == ()
    assert [worth.gain.point for worth in found.single] == [0.0] * 7
    assert found.proposed == found.plain
    assert found.own.seconds == 20.0


def test_views_that_average_noise_out_are_proposed_with_an_honest_gain(problem):
    noise = {"identity": 0.9, "hflip": 0.9, "vflip": 0.9, "rot180": 0.9, **dict.fromkeys(
        ("rot90", "rot270", "transpose", "transverse"), 4.0
    )}  # fmt: skip
    every = answers(problem, noise)
    found = judge(every, VIEWS, VIEWS[:1], SECONDS)
    assert set(found.proposed.views) <= {"identity", "hflip", "vflip", "rot180"}
    assert len(found.proposed.views) > 1
    assert found.proposed.verdict == "gain"
    by_hand = {fold: every.forward(VIEWS, without=fold) for fold in every.folds}
    assert found.chosen.score == every.crossed(by_hand).score(problem.metric)
    assert found.by_fold == {fold: tuple(v.name for v in by_hand[fold]) for fold in by_hand}
    assert found.single[0].gain.point == pytest.approx(
        every.decided(VIEWS[:2]).score(problem.metric) - found.plain.score
    )


def test_the_choice_without_a_fold_does_not_look_at_it(problem):
    every = answers(problem, dict.fromkeys(SECONDS, 1.0))
    is_first = every.held.folds == every.folds[0]
    spoilt = {name: np.where(is_first[:, None], -9.0, rows) for name, rows in every.scores.items()}
    other = replace(every, scores={**spoilt, "identity": every.scores["identity"]})
    chosen = [each.forward(VIEWS, without=every.folds[0]) for each in (every, other)]
    assert chosen[0] == chosen[1]


def test_noise_alone_wins_naively_but_is_not_proposed(problem):
    every = answers(problem, dict.fromkeys([name for name in SECONDS if name != "identity"], 0.6))
    shared = every.scores["identity"]
    centred = {name: shared + 0.05 * (rows - shared) for name, rows in every.scores.items()}
    found = judge(replace(every, scores=centred), VIEWS, VIEWS[:1], SECONDS)
    naive = every.held.problem.metric
    best = replace(every, scores=centred).forward(VIEWS)
    assert replace(every, scores=centred).mean(best).score(naive) >= found.plain.score
    assert found.proposed == found.plain


@pytest.mark.parametrize("kind", ["fitted", "shares"])
def test_each_fold_is_decided_without_it(problem, kind):
    every = answers(problem, {"identity": 0.5, "hflip": 0.5}, kind)
    found = every.decided(VIEWS[:2])
    mean = every.mean(VIEWS[:2])
    for fold in every.folds:
        method = "shares" if kind == "shares" else "exact"
        assert found.by_fold[fold] == fit_last(mean.among(mean.folds != fold), method)
    assert (found.scores == mean.scores).all()


def test_weights_count_in_the_mean(problem):
    every = answers(problem, {"hflip": 1.0})
    twice = replace(VIEWS[0], weight=2.0)
    wanted = (2 * every.scores["identity"] + every.scores["hflip"]) / 3
    assert np.allclose(every.mean([twice, VIEWS[1]]).scores, wanted)
