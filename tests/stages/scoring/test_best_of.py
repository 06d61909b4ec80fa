from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from foldwise import predictions as predictions_file
from foldwise.decide import Decision, Step
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.joining.telling import gain_as_decided, gain_over_highest
from foldwise.stages.reporting.blends import blends
from foldwise.stages.reporting.material import gather
from foldwise.stages.reporting.score_table import score_table
from foldwise.stages.scoring.best_of import best_of, highest_of
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.references import OF_MEMBERS, references
from foldwise.stages.submitting.founding import blend_verdict
from foldwise.tasks.problem import Problem

from ..small_competition import QUIET, make_problem, write_run


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 60)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def graded(folder: Path) -> Problem:
    return make_problem(folder, "ordinal", num_train=240, thumbs=False)


def test_the_best_is_the_same_in_whatever_order_runs_come(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    runs = [
        read_decided(problem, write_run(problem, name, noise=noise, seed=seed))
        for seed, (name, noise) in enumerate({"poor": 1.2, "good": 0.4, "fair": 0.8}.items())
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        best = best_of(runs[0], [runs[k] for k in order])
        assert best.names == ("good",)
        assert best.is_cross_fitted
        np.testing.assert_array_equal(best.held.answers, runs[1].answers)


def test_each_run_is_chosen_and_decided_by_its_own_decision(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    sharp = read_decided(problem, write_run(problem, "sharp", noise=0.7))
    plain = read_decided(problem, write_run(problem, "plain", noise=0.3, seed=1))
    own = Decision((Step("cuts", {"values": [2.5, 3.5, 4.5, 5.5]}, fitted=True),))
    moved = replace(plain, scores=plain.scores + 2, decision=own, by_fold=None)
    best = best_of(sharp, [sharp, moved])
    assert best.names == ("plain",)
    np.testing.assert_array_equal(best.held.answers, plain.answers)


def test_nothing_of_a_fold_chooses_its_run(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    a, b = (
        read_decided(problem, write_run(problem, name, noise=0.5, seed=seed))
        for seed, name in enumerate("ab")
    )
    before = best_of(a, [a, b])
    target = problem.target.copy()
    target[a.folds == 1] = 4 - target[a.folds == 1]
    vars(problem)["target"] = target
    after = best_of(a, [a, b])
    inside = a.folds == 1
    np.testing.assert_array_equal(after.held.scores[inside], before.held.scores[inside])


def test_a_blend_is_compared_with_the_highest_member_where_each_is_best_somewhere(
    tmp_path: Path,
) -> None:
    """`a` fails in fold 0 and `b` in fold 1, so each is chosen where the other one is better."""
    changes = {"submission": {"decision": "fitted"}}
    problem = make_problem(tmp_path, "ordinal", num_train=240, thumbs=False, **changes)
    rng = np.random.default_rng(0)
    for name, failing, noise in (("a", 0, 1.5), ("b", 1, 3.0)):
        run = write_run(problem, name, noise=0.4, seed=failing)
        found = predictions_file.read(run.oof)
        moved = found.scores + np.where(found.folds == failing, 1, 0)[:, None] * rng.normal(
            0, noise, found.scores.shape
        )
        predictions_file.write(run.oof, found.with_scores(moved))
    out = io.StringIO()
    show = Display(Console(file=out, width=200))
    record = blend(problem.home, "mix", members=["a", "b"], problem=problem, display=show)
    scores = evaluate(problem.home, "mix", problem=problem, display=QUIET)
    runs = [read_decided(problem, problem.home.run(name)) for name in ("mix", "a", "b")]
    mix, a, b = (run.score(problem.metric) for run in runs)
    assert a > b
    assert best_of(runs[0], runs[1:]).names == ("a", "b")
    found = gain_over_highest(record, scores)
    assert found is not None
    assert (found["run"], found["score"]) == ("a", a)
    assert found["gain"]["point"] == pytest.approx(mix - a)
    assert f"over a by its own decision, highest on these rows: {mix - a:+.4f}" in out.getvalue()
    (shown,) = blends(gather(problem.home))
    row = shown["gains"]["rows"][-1]
    assert row["name"].endswith("highest on these rows, each by its own decision")
    assert row["cross_fitted"] == found["gain"]["point"]
    assert found["verdict"] == "loss"
    assert not any("highest" in warning for warning in scores["warnings"])
    table = score_table(gather(problem.home).scored, None)
    assert not any("member" in row["label"] for row in table["rows"])
    by_hand = {**record, "gain": {**record["gain"], "over_best": {"naive": mix - a}}}
    assert gain_over_highest(by_hand, scores) is None
    with_file = {**record, "members": [*record["members"], {"name": "theirs.csv"}]}
    against = references(problem, problem.home.run("mix"), with_file, runs[0])
    names = {reference.name for reference in against}
    assert names & set(OF_MEMBERS) == {"best_member"}
    assert highest_of(runs[0], [runs[2]]) is not None
    assert highest_of(runs[0], [runs[1].among(runs[1].folds != 0)]) is None


def test_one_fold_gives_the_best_on_its_own_rows_and_says_so(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    a, b = (
        read_decided(problem, write_run(problem, name, noise=noise, folds=(0,)))
        for name, noise in (("a", 1.0), ("b", 0.3))
    )
    best = best_of(a, [a, b])
    assert (best.names, best.is_cross_fitted) == (("b",), False)


def test_a_blend_is_compared_with_its_best_member_as_both_are_submitted(tmp_path: Path) -> None:
    problem = graded(tmp_path)
    for seed, name in enumerate("ab"):
        write_run(problem, name, noise=0.8, seed=seed)
    record = blend(problem.home, "mix", members=["a", "b"], problem=problem, display=QUIET)
    scores = evaluate(problem.home, "mix", problem=problem, display=QUIET)
    (found,) = [r for r in scores["references"] if r["name"] == "best_member"]
    assert found["label"].startswith("best member by its own decision, chosen on the other folds")
    assert found["verdict"] == "gain"
    assert blend_verdict(record, scores) == "gain"
    by_scores = {**record, "gain": {**record["gain"], "verdict": "loss"}}
    assert blend_verdict(by_scores, scores) == "loss"
    of_maps = {**by_scores, "blend": {**record["blend"], "takes": "maps"}}
    assert blend_verdict(of_maps, scores) == "gain"
    found["verdict"] = "loss"
    assert blend_verdict(record, scores) == "loss"
    assert blend_verdict(of_maps, scores) == "loss"


def test_what_fitted_cuts_make_of_a_gain_is_told_beside_it(tmp_path: Path) -> None:
    problem = make_problem(
        tmp_path, "ordinal", num_train=240, thumbs=False, submission={"decision": "fitted"}
    )
    for seed, name in enumerate("ab"):
        write_run(problem, name, noise=0.8, seed=seed)
    out = io.StringIO()
    show = Display(Console(file=out, width=200))
    record = blend(problem.home, "mix", members=["a", "b"], problem=problem, display=show)
    scores = evaluate(problem.home, "mix", problem=problem, display=QUIET)
    decided = gain_as_decided(record, scores)
    assert decided is not None
    runs = [read_decided(problem, problem.home.run(name)) for name in ("mix", "a", "b")]
    scored = [run.score(problem.metric) for run in runs]
    assert decided["score"] in scored[1:]
    assert decided["gain"]["point"] == pytest.approx(scored[0] - decided["score"])
    assert f"as handed in: {decided['gain']['point']:+.4f}" in out.getvalue()
    same = {**decided, "gain": {"point": record["gain"]["over_best"]["cross_fitted"]}}
    assert gain_as_decided(record, {"references": [same]}) is None
