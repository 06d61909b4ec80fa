"""Tables of masks: every number counted again from the pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from foldwise.decide import Decision
from foldwise.decide.decision import Step
from foldwise.decide.mask_steps import chance_of, num_top, top_means
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import decode, encode
from foldwise.metrics.dice import dice_per_mask
from foldwise.stages.evaluate import evaluate
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.mask_beside import beside, beside_line, counts_of
from foldwise.stages.scoring.mask_cases import groups_in_turn, mask_cases
from foldwise.stages.scoring.mask_evidence import evidence_tables, reliability
from foldwise.stages.scoring.mask_sizes import parts_by_size
from foldwise.tasks.problem import Problem
from tests.metrics.mask_cases import overlapping
from tests.stages.scoring.mask_competition import CLASSES, make_masks, write_maps_run
from tests.stages.small_competition import QUIET


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    made = make_masks(tmp_path_factory.mktemp("masks") / "home")
    write_maps_run(made, "a", noise=60.0)
    return made


@pytest.fixture(scope="module")
def held(problem: Problem) -> HeldOut:
    return read_decided(problem, problem.home.run("a"))


def test_parts_are_those_of_scipy_by_class_and_size() -> None:
    cases = overlapping(seed=4, num=300)
    answers, truths = cases.runs
    found = parts_by_size(
        Masks(answers, 3), Masks(truths, 3, encode(cases.ignored)), ("a", "b", "c")
    )
    expected = np.zeros((3, 3, len(found["bins"])), int)  # class; found, there, false; bin
    parts = zip(cases.answers, cases.truths, cases.ignored, strict=True)
    for answer, truth, ignored in parts:
        for c in range(3):
            for area, is_hit in _parts(truth[c], answer[c], ~ignored):
                at = _bin(found["bins"], area)
                expected[c, 0, at] += is_hit
                expected[c, 1, at] += 1
            for area, is_hit in _parts(answer[c], truth[c], ~ignored):
                expected[c, 2, _bin(found["bins"], area)] += not is_hit
    ours = [[row["found"], row["there"], row["false"]] for row in found["by_class"]]
    np.testing.assert_array_equal(ours, expected)
    assert expected[:, 2].sum() > 0


def test_bins_reach_from_the_smallest_part_to_the_largest() -> None:
    truth = np.zeros((20, 20), bool)
    truth[0, 0] = truth[4:6, 4:8] = True
    target, nothing = Masks(encode([truth]), 1), Masks(encode([np.zeros((20, 20))]), 1)
    found = parts_by_size(nothing, target, ("a",))
    assert found["bins"] == [[1, 3], [4, 15]]
    assert found["by_class"][0] == {"class": "a", "found": [0, 0], "there": [1, 1], "false": [0, 0]}
    assert parts_by_size(nothing, nothing, ("a",))["bins"] == []


def test_reliability_counts_pairs_and_groups_of_each_tenth() -> None:
    evidence = np.array([[0.05, 0.31], [0.32, 1.0], [0.39, 0.97], [0.0, 0.99]])
    present = np.array([[0, 1], [0, 1], [1, 1], [0, 0]])
    low, middle, top = reliability(evidence, present, np.array(["x", "x", "y", "z"]))
    assert (low["low"], low["high"], low["pairs"], low["groups"]) == (0.0, 0.1, 2, 2)
    assert low["share"] == 0.0
    assert low["mean"] == pytest.approx(0.025)
    assert (middle["pairs"], middle["groups"]) == (3, 2)
    assert middle["share"] == pytest.approx(2 / 3)
    assert (top["pairs"], top["groups"], top["share"]) == (3, 3, pytest.approx(2 / 3))
    assert reliability(evidence, present)[1]["groups"] == 3


def test_evidence_is_each_maps_top_pixels_and_other_runs_words(held: HeldOut) -> None:
    present = held.target.present
    tops = np.stack([top_means(sample, 0.001) for sample in held.scores])
    (found,) = evidence_tables(held)
    assert found["label"] == "mean of the map's top 0.1 % of pixels"
    assert found["bins"] == reliability(tops, present, held.groups)
    for c, row in enumerate(found["by_class"]):
        assert row["roc_auc"] == pytest.approx(roc_auc_score(present[:, c], tops[:, c]))
        assert row["there"] == pytest.approx(tops[present[:, c] == 1, c].mean())
        assert row["absent"] == pytest.approx(tops[present[:, c] == 0, c].mean())
    gated = replace(held, scores=replace(held.scores, gates=1.0 - present))
    gate = evidence_tables(gated)[1]
    assert [each["share"] for each in gate["bins"]] == [1.0, 0.0]
    assert [row["roc_auc"] for row in gate["by_class"]] == [0.0, 0.0]


def test_chances_are_shown_as_the_decisions_without_each_fold_make_them(held: HeldOut) -> None:
    gates = 1.0 - held.target.present
    parts = {fold: [[float(fold), 1.0, 0.5]] * 2 for fold in range(3)}
    by_fold = {
        fold: Decision((Step("masks", {"chances": each}, True),)) for fold, each in parts.items()
    }
    gated = replace(
        held, scores=replace(held.scores, gates=gates), decision=by_fold[2], by_fold=by_fold
    )
    tops = np.stack([top_means(sample, num_top(sample[0].size)) for sample in held.scores])
    wanted = np.zeros(tops.shape)
    for fold, each in parts.items():
        rows = held.folds == fold
        wanted[rows] = chance_of(np.array(each), gates[rows], tops[rows])
    found = evidence_tables(gated)[2]
    assert (found["label"], found["is_fitted"]) == ("chance that is fitted to them", True)
    assert found["bins"] == reliability(wanted, held.target.present, held.groups)
    few = replace(gated, by_fold={**by_fold, 1: Decision((Step("masks", {}, True),))})
    assert len(evidence_tables(few)) == 2  # A fold without any has none to show.


def test_numbers_beside_the_score_are_cross_fitted_and_naive(held: HeldOut) -> None:
    assert held.by_fold
    found = beside(held, counts_of(held))
    final = replace(held, by_fold=None, answered=None)
    for numbers, whose in ((found["cross_fitted"], held), (found["naive"], final)):
        answers, truths = (_pixels(each) for each in (whose.answers, whose.target))
        there = np.array([[mask.any() for mask in row] for row in truths])
        answered = np.array([[mask.any() for mask in row] for row in answers])
        hit = np.array(
            [
                [(a & t).any() for a, t in zip(one, two, strict=True)]
                for one, two in zip(answers, truths, strict=True)
            ]
        )
        pairs = np.arange(len(truths)) // 2
        groups = {(p, c) for p, row in zip(pairs, there, strict=True) for c in np.flatnonzero(row)}
        hits = {(p, c) for p, row in zip(pairs, hit, strict=True) for c in np.flatnonzero(row)}
        assert (numbers["hit"], numbers["there"]) == (len(hits), len(groups))
        assert numbers["false_alarms"] == pytest.approx(answered[~there].mean())
        dice = dice_per_mask(counts_of(whose))
        assert numbers["score"] == pytest.approx(dice.mean())
        assert numbers["dice_nonempty"] == pytest.approx(dice[there].mean())
        headroom = (dice.mean() - (~there).mean()) / there.mean()
        assert numbers["headroom"] == pytest.approx(headroom)
    assert found["cross_fitted"] != found["naive"]
    assert beside(final, counts_of(final))["naive"] is None


def test_a_line_says_what_the_mean_hides() -> None:
    numbers = {"dice_nonempty": 0.41, "hit": 3, "there": 4, "headroom": -0.25, "false_alarms": 0.02}
    masks = {"beside": {"cross_fitted": numbers}, "pairs": {"all_empty": 0.94}}
    assert beside_line(masks) == (
        "94.0% of the pairs of image and class are empty, Dice on the others 0.4100, "
        "3 of 4 defects hit, -0.2500 of the headroom over empty masks, 2.0% of the empty ones "
        "answered"
    )
    few = beside_line({**masks, "pairs": {"all_empty": 0.2}})
    assert few.endswith("empty, Dice on the others 0.4100, 2.0% of the empty ones answered")
    nothing = {**dict.fromkeys(numbers), "there": 0}
    assert "," not in beside_line({**masks, "beside": {"cross_fitted": nothing}})


def test_cases_are_the_worst_truths_and_the_largest_alarms(held: HeldOut) -> None:
    step = Step("masks", {"thresholds": 0.25, "smallest_areas": 0})
    held = replace(held, decision=Decision((step,)), by_fold=None)
    counts = counts_of(held)
    dice = dice_per_mask(counts)
    for c, found in enumerate(mask_cases(held, counts)):
        assert found["class"] == CLASSES[c]
        there = counts.true[:, c] > 0
        assert found["drawn"][0]["dice"] == dice[there, c].min()
        assert all(case["true"] > 0 for case in found["drawn"])
        assert found["false"][0]["answered"] == counts.answered[~there, c].max()
        assert all(case["true"] == 0 < case["answered"] for case in found["false"])
        for cases in (found["drawn"], found["false"]):
            pairs = [int(case["id"][1:]) // 2 for case in cases]
            assert len(set(pairs)) == len(pairs) == 8


def test_of_missed_truths_the_largest_come_first(held: HeldOut) -> None:
    counts = counts_of(held)
    missed = replace(counts, common=counts.common * 0)
    areas = [case["true"] for case in mask_cases(held, missed)[0]["drawn"]]
    assert areas == sorted(areas, reverse=True)


def test_every_group_comes_once_before_any_comes_twice() -> None:
    groups = np.array(["a", "b", "a", "c", "b", "a"])
    assert groups_in_turn(np.array([5, 2, 1, 4, 3, 0]), groups).tolist() == [5, 1, 3, 2, 4, 0]
    assert groups_in_turn(np.array([5, 2]), None).tolist() == [5, 2]


def test_exclusive_classes_have_a_confusion_in_pixels(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", exclusive=True)
    write_maps_run(problem, "a", noise=30.0)
    scores = evaluate(problem.home, "a", problem=problem, display=QUIET)
    confusion = scores["confusion"]
    counts = np.array(confusion["counts"])
    assert confusion["unit"] == "pixels"
    assert counts.sum(axis=1).tolist() == problem.target.areas.sum(axis=0).tolist()
    diagonal = np.diag(counts)
    iou = diagonal / (counts.sum(axis=0) + counts.sum(axis=1) - diagonal)
    assert [row["iou"] for row in scores["by_class"]] == pytest.approx(iou.tolist())
    assert scores["masks"]["beside"]["naive"] is None


def _parts(mask: np.ndarray, other: np.ndarray, counted: np.ndarray) -> list[tuple[int, bool]]:
    labels, num = ndimage.label(mask, np.ones((3, 3)))
    parts = [labels == label for label in range(1, num + 1)]
    areas = [(int((part & counted).sum()), bool((part & other).any())) for part in parts]
    return [part for part in areas if part[0]]


def _bin(bins: list[list[int]], area: int) -> int:
    (found,) = [place for place, (low, high) in enumerate(bins) if low <= area <= high]
    return found


def _pixels(masks: Masks) -> list[list[np.ndarray]]:
    every = decode(masks.runs)
    return [every[at : at + 2] for at in range(0, len(every), 2)]
