"""A run of target presence beside runs of masks: scored by itself, and as gate of a blend."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from foldwise import predictions as predictions_file
from foldwise.config.writing import write_yaml
from foldwise.errors import ConfigError, RunError
from foldwise.json_files import read_json
from foldwise.metrics import METRICS
from foldwise.metrics.dice import dice_per_mask
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.stages.blend import blend
from foldwise.stages.compare import compare
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.pick import pick
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.mask_beside import counts_of
from foldwise.stages.submit import submit
from foldwise.stages.submitting.founding import best_run
from foldwise.tasks.problem import Problem
from tests.stages.scoring.mask_competition import make_masks, write_maps_run, write_presence_run
from tests.stages.small_competition import QUIET


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    made = make_masks(tmp_path / "home")
    write_maps_run(made, "unet", false_alarms=True)
    evaluate(made.home, "unet", problem=made, display=QUIET)
    write_presence_run(made, "present")
    return made


def pair(problem: Problem, **options: object) -> dict[str, object]:
    given = {"members": ["unet"], "gate": "present", **options}
    return blend(problem.home, "pair", problem=problem, display=QUIET, **given)  # type: ignore[arg-type]  # A mapping of unlike options.


def test_a_presence_run_is_scored_by_which_classes_masks_show(problem: Problem) -> None:
    scores = evaluate(problem.home, "present", problem=problem, display=QUIET)
    held = read_decided(problem, problem.home.run("present"))
    there = problem.target.areas > 0
    assert (held.target == there).all()
    metric = METRICS["mean_average_precision"]
    assert scores["score"] == pytest.approx(metric(held.scores, there.astype(int)))
    assert scores["decision"]["kind"] == "fixed"


def test_gates_stand_beside_the_maps_by_id_and_class(problem: Problem) -> None:
    pair(problem)
    for place in ("oof", "test"):
        gates = predictions_file.read(getattr(problem.home.run("present"), place))
        found = predictions_file.read(getattr(problem.home.run("pair"), place))
        assert found.scores.gates is not None
        aligned = gates.align(found.ids, name="present").scores
        assert (found.scores.gates == aligned).all()


def test_gates_of_other_columns_are_aligned_by_name(problem: Problem) -> None:
    run = problem.home.run("present")
    for place in (run.oof, run.test):
        found = predictions_file.read(place)
        turned = Predictions(
            found.ids[::-1],
            found.scores[::-1, ::-1],
            found.columns[::-1],
            folds=None if found.folds is None else found.folds[::-1],
        )
        predictions_file.write(place, turned)
    pair(problem)
    found = predictions_file.read(problem.home.run("pair").oof)
    hole = predictions_file.read(run.oof)
    place = hole.columns.index("hole")
    expected = hole.align(found.ids, name="present").scores[:, place]
    assert found.columns[0] == "hole"
    assert (found.scores.gates[:, 0] == expected).all()


def test_a_good_gate_wins_cross_fitted_over_none(problem: Problem) -> None:
    pair(problem)
    scores = read_json(problem.home.run("pair").scores)
    tried = {each["steps"][0]: each for each in scores["decision"]["masks"]}
    assert tried["gated_chances"]["is_used"], tried
    assert tried["gated_chances"]["gain"]["low"] > 0
    assert "over the fixed decision" in tried["gated_chances"]["reason"]
    last = scores["decision"]["steps"][-1]
    assert last["options"]["chances"][0][1] > 0  # The gate has a say.
    assert 0.5 < min(last["options"]["least_chances"]) < 1
    best = {each["name"]: each for each in scores["references"]}["best_member"]
    assert best["run"] == "unet"
    assert best["gain"]["low"] > 0
    assert scores["how"]["got"] == "cross-fitted"


@pytest.mark.parametrize("seed", range(3))
def test_a_gate_that_knows_nothing_is_not_used(problem: Problem, seed: int) -> None:
    run = problem.home.run("present")
    for place in (run.oof, run.test):
        found = predictions_file.read(place)
        rng = np.random.default_rng(seed)
        predictions_file.write(place, found.with_scores(rng.random(found.scores.shape)))
    pair(problem)
    scores = read_json(problem.home.run("pair").scores)
    tried = {each["steps"][0]: each for each in scores["decision"]["masks"]}
    assert not tried["gated_chances"]["is_used"]


@pytest.mark.parametrize("metric", ["mean_dice", "mean_iou"])
@pytest.mark.parametrize("asked", ["fitted", "auto"])
def test_a_gate_is_used_by_metrics_of_samples_and_of_pooled_pixels(
    tmp_path: Path, metric: str, asked: str
) -> None:
    problem = make_masks(tmp_path / "home", metric=metric, submission={"decision": asked})
    write_maps_run(problem, "unet", false_alarms=True)
    evaluate(problem.home, "unet", problem=problem, display=QUIET)
    write_presence_run(problem, "present")
    pair(problem)
    scores = read_json(problem.home.run("pair").scores)
    (*_, last) = scores["decision"]["steps"]
    assert last["fitted"]
    assert last["options"]["chances"][0][1] > 0  # The gate has a say.
    best = {each["name"]: each for each in scores["references"]}["best_member"]
    assert best["gain"]["low"] > 0


def test_runs_of_masks_are_compared_row_by_row(problem: Problem) -> None:
    pair(problem)
    found = compare(problem.home, ["unet", "pair"], problem=problem, display=QUIET)
    (entry,) = found["against_first"]
    unet, gated = (
        dice_per_mask(counts_of(read_decided(problem, problem.home.run(name)))).mean(axis=1)
        for name in ("unet", "pair")
    )
    assert entry["rows"] == {
        "num_rows": len(unet),
        "challenger_nearer": (gated > unet).sum(),
        "reference_nearer": (unet > gated).sum(),
    }
    assert entry["rows"]["challenger_nearer"] > entry["rows"]["reference_nearer"]


def test_another_gate_makes_another_blend(problem: Problem) -> None:
    pair(problem)
    before = predictions_file.read(problem.home.run("pair").oof).scores.gates
    write_presence_run(problem, "present", seed=1)
    record = pair(problem)
    after = predictions_file.read(problem.home.run("pair").oof).scores.gates
    assert (before != after).any()
    assert record["gate"]["name"] == "present"  # type: ignore[index]  # A record's values are any.


def test_a_gate_chosen_on_the_held_out_fold_makes_the_pair_optimistic(problem: Problem) -> None:
    run = problem.home.run("present")
    record = read_json(run.record)
    record["recipe"]["train"]["stop"] = "validation"
    publish_json(run.record, record)
    pair(problem)
    how = read_json(problem.home.run("pair").scores)["how"]
    assert how["got"] == "optimistic"
    assert "present" in how["sentence"]


def test_presence_runs_are_neither_submitted_nor_picked(problem: Problem) -> None:
    evaluate(problem.home, "present", problem=problem, display=QUIET)
    assert best_run(problem.home, problem=problem) == "unet"
    with pytest.raises(RunError, match="says which classes are in an image") as caught:
        submit(problem.home, "present", problem=problem, display=QUIET)
    assert "--gate present" in caught.value.remedy
    picked = pick(problem.home, 1, problem=problem, display=QUIET)
    assert picked["picks"] == ["unet"]
    assert "present" in picked["left_out"]


def test_presence_runs_are_compared_among_themselves(problem: Problem) -> None:
    write_presence_run(problem, "vague", noise=0.6, seed=3)
    found = compare(problem.home, ["present", "vague"], problem=problem, display=QUIET)
    assert found["best"] == "present"
    with pytest.raises(RunError, match="not scored alike"):
        compare(problem.home, ["present", "unet"], problem=problem, display=QUIET)


def test_presence_runs_are_blended_to_one_gate(problem: Problem) -> None:
    write_presence_run(problem, "other", seed=3)
    both = ["present", "other"]
    record = blend(problem.home, "both", members=both, problem=problem, display=QUIET)
    assert record["target"] == "presence"
    found = pair(problem, gate="both")
    assert found["gate"]["made_of"] == both  # type: ignore[index]  # A record's values are any.
    gates = predictions_file.read(problem.home.run("pair").oof).scores.gates
    parts = [predictions_file.read(problem.home.run(name).oof).scores for name in both]
    assert gates == pytest.approx(np.mean(parts, axis=0))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"gate": "unet"}, RunError, "says where classes are"),
        ({"gate": "nobody"}, RunError, "nobody"),
        ({"members": ["unet", "present"], "gate": None}, RunError, "as gate of a blend"),
        ({"members": ["present"]}, ConfigError, "nothing is gated"),
    ],
)
def test_what_is_no_gate_is_refused(
    problem: Problem, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        pair(problem, **options)


def test_a_frozen_gate_is_no_reference_of_masks(problem: Problem) -> None:
    write_yaml(problem.home.plan, {"recipes": {"unet": {}, "present": {}}})
    run = problem.home.run("present")
    record = read_json(run.record)
    record["recipe"]["freeze"] = "backbone"
    publish_json(run.record, record)
    scores = evaluate(problem.home, "unet", problem=problem, display=QUIET)
    assert [each["name"] for each in scores["references"]] == ["all_empty"]


def test_a_gated_blend_is_no_member(problem: Problem) -> None:
    write_maps_run(problem, "fpn", seed=1)
    pair(problem)
    with pytest.raises(RunError, match="pair: is gated") as caught:
        blend(problem.home, "more", members=["pair", "fpn"], problem=problem, display=QUIET)
    assert "name the gate of that blend" in str(caught.value)


def test_a_blend_is_not_its_own_gate(problem: Problem) -> None:
    write_presence_run(problem, "other", seed=3)
    both = ["present", "other"]
    blend(problem.home, "pair", members=both, problem=problem, display=QUIET)
    with pytest.raises(RunError, match="cannot be its own gate"):
        pair(problem, gate="pair")


def test_the_plan_may_name_a_presence_run_and_something_is_handed_in(problem: Problem) -> None:
    names = {"unet": {}, "present": {}}
    write_yaml(problem.home.plan, {"recipes": names, "submit": "present"})
    done = submit(problem.home, problem=problem, display=QUIET)
    assert done.entry.facts["run"] == "unet"


def test_what_a_pair_is_worth_is_told_by_its_decision(problem: Problem) -> None:
    text = io.StringIO()
    show = Display(console=Console(file=text, width=300, highlight=False))
    blend(problem.home, "pair", members=["unet"], gate="present", problem=problem, display=show)
    said = text.getvalue()
    assert "gate: present" in said
    assert "verdict" not in said
    assert re.search(r"as handed in: \+0\.\d+ \(\+0\.\d+ to \+0\.\d+\) over the best member", said)


def test_gates_are_probabilities(problem: Problem) -> None:
    run = problem.home.run("present")
    found = predictions_file.read(run.test)
    predictions_file.write(run.test, found.with_scores(found.scores * 7))
    with pytest.raises(RunError, match="those of a gate are probabilities"):
        pair(problem)


def test_a_gate_that_lacks_a_fold_is_refused(problem: Problem) -> None:
    run = problem.home.run("present")
    found = predictions_file.read(run.oof)
    predictions_file.write(run.oof, found.take(found.folds != 1))
    with pytest.raises(RunError, match="36 of 108 rows") as caught:
        pair(problem)
    assert "train present" in caught.value.remedy


def test_a_fitted_blend_is_no_gate(problem: Problem) -> None:
    write_presence_run(problem, "present", noise=0.35, seed=5)
    write_presence_run(problem, "other", noise=0.35, seed=6)
    blend(
        problem.home,
        "fitted",
        method="convex",
        members=["present", "other"],
        problem=problem,
        display=QUIET,
    )
    with pytest.raises(RunError, match="its weights were fitted"):
        pair(problem, gate="fitted")


def test_where_each_pixel_has_a_class_nothing_is_gated(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", exclusive=True)
    write_maps_run(problem, "unet")
    write_presence_run(problem, "present")
    with pytest.raises(ConfigError, match="every pixel has a class"):
        pair(problem)
