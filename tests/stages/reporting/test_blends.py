from __future__ import annotations

from pathlib import Path
from typing import Any

from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.reporting.blends import blends, gain_sentence
from foldwise.stages.reporting.material import gather
from tests.stages.small_competition import QUIET, make_problem, write_run


def _one(verdict: str, low: float | None = -0.1, cross: float | None = 0.02) -> dict[str, Any]:
    return {"naive": 0.03, "cross_fitted": cross, "low": low, "high": 0.1, "verdict": verdict}


def _gain(over_best: str, over_mean: str, verdict: str, **weights: float) -> dict[str, Any]:
    return {
        "best_member": "a",
        "over_best": _one(over_best),
        "over_mean": _one(over_mean),
        "verdict": verdict,
        "weights": weights or {"a": 0.5, "b": 0.5},
    }


def test_a_mean_with_one_member_left_is_called_that() -> None:
    gain = _gain("undecided", "undecided", "undecided", a=1.0, b=0.0)
    assert "one remained, a" in gain_sentence(gain, is_mean=True)
    assert "safer choice" not in gain_sentence(gain, is_mean=True)
    both = _gain("undecided", "undecided", "undecided")
    assert "safer choice" in gain_sentence(both, is_mean=True)


def test_weights_that_beat_the_best_member_but_not_the_mean_are_not_shown_to_be_better() -> None:
    gain = _gain("gain", "undecided", "undecided")
    assert "Not shown to be better than the plain mean" in gain_sentence(gain, is_mean=False)


def test_a_loss_says_what_to_hand_in_instead() -> None:
    to_best, to_mean = _gain("loss", "gain", "loss"), _gain("gain", "loss", "loss")
    assert "Hand in a instead" in gain_sentence(to_best, is_mean=False)
    assert "Hand in the plain mean instead" in gain_sentence(to_mean, is_mean=False)


def test_one_fold_few_groups_and_one_member_are_told() -> None:
    gain = _gain("undecided", "undecided", "undecided")
    alone = {**gain, "over_best": _one("undecided", cross=None)}
    few = {**gain, "over_best": _one("undecided", low=None)}
    assert "With one fold" in gain_sentence(alone, is_mean=False)
    assert "no interval can be given" in gain_sentence(few, is_mean=False)
    assert "single member" in gain_sentence({**gain, "weights": {"a": 1.0}}, is_mean=False)


def test_members_come_by_weight_with_what_they_add(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    for seed, name in enumerate(("weak", "strong")):
        write_run(problem, name, noise=1.5 - seed, seed=seed)
        evaluate(problem.home, name, problem=problem, display=QUIET)
    members = ["weak", "strong"]
    blend(problem.home, "mix", method="greedy", members=members, problem=problem, display=QUIET)
    (view,) = blends(gather(problem.home))
    weights = [member["weight"] for member in view["members"]]
    assert weights == sorted(weights, reverse=True)
    assert [row["name"][:13] for row in view["gains"]["rows"]] == ["over the best", "over the plai"]
    assert view["has_worth"]
    assert view["diversity"]["num"] == 2


def test_the_plain_mean_is_not_compared_with_itself(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    for seed, name in enumerate("ab"):
        write_run(problem, name, seed=seed)
        evaluate(problem.home, name, problem=problem, display=QUIET)
    method = {"name": "mean", "comparable": False}
    blend(problem.home, "mix", method=method, members=["a", "b"], problem=problem, display=QUIET)
    (view,) = blends(gather(problem.home))
    assert len(view["gains"]["rows"]) == 1


def test_a_blend_of_an_older_version_is_told_not_fatal(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    blend(problem.home, "mix", members=["a"], problem=problem, display=QUIET)
    path = problem.home.run("mix").record
    record = read_json(path)
    assert record is not None
    publish_json(path, {**record, "gain": {"naive_gain": 0.0}})
    material = gather(problem.home)
    assert blends(material) == []
    assert "older version" in material.troubles[-1]
