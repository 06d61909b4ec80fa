"""Masks decided and scored: nothing of a fold decides its own rows, and each number is counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from foldwise import predictions as predictions_file
from foldwise.errors import ConfigError
from foldwise.json_files import read_json
from foldwise.maps.maps import Maps
from foldwise.masks.runs import decode
from foldwise.metrics.dice import dice_per_mask
from foldwise.metrics.mask_counts import count_masks
from foldwise.stages.evaluate import evaluate
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import read_held_out
from foldwise.stages.scoring.mask_choice import MaskFits, Rung
from foldwise.stages.scoring.mask_tables import mask_tables
from foldwise.tasks.problem import Problem
from tests.stages.scoring.mask_competition import CLASSES, make_masks, write_maps_run
from tests.stages.small_competition import QUIET


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    made = make_masks(tmp_path / "home")
    write_maps_run(made, "a")
    return made


def test_a_decision_that_wins_cross_fitted_is_taken(problem: Problem) -> None:
    scores = evaluate(problem.home, "a", problem=problem, display=QUIET)
    decision = read_json(problem.home.run("a").decision)
    assert decision["choice"]["kind"] == "fitted"
    assert decision["choice"]["gain"]["low"] > 0
    assert scores["how"]["got"] == "cross-fitted"
    fixed = read_held_out(problem, problem.home.run("a"))
    assert scores["score"] > fixed.score(problem.metric) + 0.02
    assert decision["choice"]["naive_score"] >= scores["score"]
    steps = [decision["steps"], *(each["steps"] for each in decision["folds"].values())]
    assert all(0.2 < level < 0.5 for each in steps for level in each[0]["options"]["thresholds"])


def test_a_fold_is_decided_without_it(problem: Problem) -> None:
    """What is changed in a fold's truth changes no answer there, and answers elsewhere."""
    run = problem.home.run("a")
    before = read_decided(problem, run)
    fits = MaskFits(read_held_out(problem, run))
    for fold in range(3):
        others = [other for other in range(3) if other != fold]
        assert before.without(fold) in (
            fits.decision(rung, others)
            for rung in (
                Rung(areas=True, alike=alike, shapes=shapes, top_scores=top_scores)
                for alike, shapes, top_scores in product((True, False), repeat=3)
            )
        )
        assert before.without(fold) != fits.decision(Rung(areas=True), [fold])


def test_holes_are_filled_where_that_wins_cross_fitted(problem: Problem) -> None:
    run = problem.home.run("a")
    found = predictions_file.read(run.oof)
    place = {name: row for row, name in enumerate(problem.train.ids)}

    def read(row: int) -> np.ndarray:
        """The map with all but the rims of what is there gone."""
        truth = np.stack(decode(problem.target[np.array([place[found.ids[row]]])].runs))
        inside = np.stack([binary_erosion(each) for each in truth])
        return np.where(inside, 0, found.scores.read(row))

    hollow = Maps(found.scores.sizes, 2, np.arange(len(found)), read)
    predictions_file.write(run.oof, replace(found, scores=hollow))
    scores = evaluate(problem.home, "a", problem=problem, display=QUIET)
    tried = scores["decision"]["masks"]
    assert [each["steps"] for each in tried] == [["areas"], ["shapes"], ["top_scores"]]
    shapes = tried[1]
    assert shapes["is_used"]
    assert shapes["gain"]["low"] > 0
    decision = read_json(run.decision)
    for each in (decision["steps"], *(one["steps"] for one in decision["folds"].values())):
        assert each[0]["options"]["fill"] == [True, True]
        assert each[0]["fitted"]


def test_answers_are_those_of_each_folds_decision(problem: Problem) -> None:
    held = read_decided(problem, problem.home.run("a"))
    for fold in range(3):
        rows = np.flatnonzero(held.folds == fold)
        alone = held.without(fold).answers(held.scores[rows])
        assert held.answers[rows].tobytes() == alone.tobytes()


def test_a_fixed_decision_stays_if_asked_for(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", submission={"decision": "fixed"})
    write_maps_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    decision = read_json(problem.home.run("a").decision)
    assert decision["choice"]["kind"] == "fixed"
    assert decision["steps"][0]["options"]["thresholds"] == 0.5


def test_options_that_are_asked_for_stay_where_they_are_not_fitted(tmp_path: Path) -> None:
    asked = {"top_pixels": 4, "fill": True, "smallest_areas": 3}
    problem = make_masks(tmp_path / "home", submission={"fixed": asked})
    fixed = problem.default_decision().steps[-1]
    assert fixed.options == {"thresholds": 0.5, **asked}
    write_maps_run(problem, "a")
    fits = MaskFits(read_held_out(problem, problem.home.run("a")))
    step = fits.decision(Rung(areas=True, top_scores=True), range(3)).steps[-1]
    assert (step.options["top_pixels"], step.options["fill"]) == (4, True)
    assert step.options["smallest_areas"] != 3
    assert len(step.options["top_scores"]) == 2


def test_options_that_the_decision_has_not_are_named(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", submission={"fixed": {"top_pixel": 4}})
    with pytest.raises(ConfigError, match=r"submission\.fixed: .*did you mean 'top_pixels'"):
        problem.default_decision()


def test_shares_have_no_meaning_for_masks(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", submission={"decision": "shares"})
    write_maps_run(problem, "a")
    with pytest.raises(ConfigError, match="masks have no shares"):
        evaluate(problem.home, "a", problem=problem, display=QUIET)


def test_tables_count_what_masks_show(problem: Problem) -> None:
    held = read_decided(problem, problem.home.run("a"))
    found = mask_tables(held, predictions_file.read(problem.home.run("a").test).scores)
    truths = np.stack([m.any() for m in decode(problem.target.runs)]).reshape(-1, 2)
    counts = count_masks(held.answers.runs, held.target.runs, 2)
    dice = dice_per_mask(counts)
    for index, row in enumerate(found["by_class"]):
        there = truths[:, index]
        assert (row["class"], row["rows"], row["groups"]) == (CLASSES[index], there.sum(), 18)
        assert row["dice"] == pytest.approx(dice[:, index].mean())
        assert row["dice_nonempty"] == pytest.approx(dice[there, index].mean())
        wrongly = counts.answered[~there, index] > 0
        assert row["false_alarms"] == pytest.approx(wrongly.mean())
    pairs = found["masks"]["pairs"]
    assert (pairs["num"], pairs["num_nonempty"]) == (truths.size, truths.sum())
    assert pairs["all_empty"] == pytest.approx(1 - truths.mean())
    assert pairs["headroom"] == pytest.approx((dice.mean() - (~truths).mean()) / truths.mean())
    sizes = found["masks"]["by_size"]
    assert sum(size["pairs"] for size in sizes) == truths.sum()
    assert all(one["largest"] <= two["smallest"] for one, two in pairwise(sizes))
    assert found["by_group"]["num_groups"] == 54
    worst = [sample["distance"] for sample in found["worst"]]
    assert worst == sorted(worst, reverse=True)
    assert worst[0] == pytest.approx(1 - dice.mean(axis=1).min())


def test_a_run_is_judged_against_empty_masks(problem: Problem) -> None:
    scores = evaluate(problem.home, "a", problem=problem, display=QUIET)
    (reference,) = scores["references"]
    assert reference["name"] == "all_empty"
    assert reference["score"] == pytest.approx(scores["masks"]["pairs"]["all_empty"])
    assert reference["gain"]["point"] == pytest.approx(scores["score"] - reference["score"])
    assert scores["spread"] is None
    assert {row["name"] for row in scores["more_metrics"]} >= {"dice_nonempty", "headroom_share"}


def test_exclusive_classes_take_the_surest_one(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", exclusive=True)
    write_maps_run(problem, "a", noise=20.0)
    scores = evaluate(problem.home, "a", problem=problem, display=QUIET)
    decision = read_json(problem.home.run("a").decision)
    assert [step["name"] for step in decision["steps"]] == ["surest_class"]
    assert decision["choice"]["kind"] == "fixed"
    held = read_decided(problem, problem.home.run("a"))
    heights, widths = held.target.sizes.T
    assert held.answers.areas.sum(axis=1).tolist() == (heights * widths).tolist()
    (reference,) = scores["references"]
    assert reference["name"] == "commonest_class"
    assert 0.3 < reference["score"] < 0.5 < scores["score"]


def test_classes_come_in_the_problems_order(problem: Problem) -> None:
    run = problem.home.run("a")
    swapped = predictions_file.read(run.oof)
    again = swapped.scores.picked([1, 0])

    other = problem.home.run("b")
    other.path.mkdir()
    turned = replace(swapped, scores=again, columns=swapped.columns[::-1])
    predictions_file.write(other.oof, turned)
    other.record.write_bytes(run.record.read_bytes())
    one, two = (read_held_out(problem, each) for each in (run, other))
    assert one.answers.tobytes() == two.answers.tobytes()
