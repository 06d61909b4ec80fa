"""Extra rows of units: whose labels they have, which are left out, what makes a unit stale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.data.cache_writing import write_blocks
from foldwise.data.spec import THUMB
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.audit import thumbnails
from foldwise.stages.blend import blend
from foldwise.stages.split import inner_rows
from foldwise.stages.training.taught import teach
from tests.stages.extra_homes import (
    bits,
    edited,
    make_teacher,
    make_units,
    score,
    student,
    with_external,
    write_test,
)
from tests.stages.small_competition import QUIET, make_problem

FIXED = {"submission": {"decision": "fixed"}}


def taught(config=None, **more):
    return {"pseudo": {"run": "t", **(config or {}), **more}}


@pytest.mark.parametrize("labels", ["hard", "soft"])
@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_a_student_never_hears_of_its_fold_from_models_that_know_it(tmp_path, task, labels):
    """All teacher units but fold 1's are given a secret: the student of fold 1 stays as it was."""
    problem = make_problem(tmp_path, task, **FIXED)
    units = make_teacher(problem)
    recipe = taught(labels=labels, weight=0.5, share=1.0 if task == "regression" else 0.5)
    before = {fold: bits(student(problem, fold, **recipe)) for fold in (0, 1, 2)}
    secret = problem.one_hot[np.flatnonzero(problem.folds == 1)][: len(problem.test)]
    for unit in units:
        if unit.fold != 1:
            write_test(unit, np.ascontiguousarray(secret))
    after = {fold: bits(student(problem, fold, **recipe)) for fold in (0, 1, 2)}
    assert after[1] == before[1]
    assert after[0] != before[0]
    assert after[2] != before[2]
    # And the other way round: what the test shows would be seen.
    write_test(units[1], np.ascontiguousarray(secret))
    assert bits(student(problem, 1, **recipe)) != before[1]


def test_isolation_holds_over_generations_and_for_the_mean_of_several(tmp_path):
    problem = make_problem(tmp_path, **FIXED)
    first, second = make_teacher(problem), make_teacher(problem, "u", seed=1)
    heirs = make_teacher(problem, "heir", seed=2, pseudo={"run": ["t", "u"]})
    recipe = {"pseudo": {"run": ["heir", "t"], "labels": "soft"}}
    before, inputs = bits(student(problem, 1, **recipe)), heirs[1].inputs
    for unit in [*first, *second, *heirs]:
        if unit.fold != 1:
            score(replace(unit), seed=77)
    assert bits(student(problem, 1, **recipe)) == before
    assert replace(heirs[1]).inputs == inputs
    assert replace(heirs[0]).inputs != heirs[0].inputs


def test_hard_labels_are_decided_by_what_was_fitted_without_the_fold(tmp_path):
    """Cuts that are fitted move the labels of all folds but the one whose truth moves them."""
    problem = make_problem(tmp_path, "ordinal", submission={"decision": "fitted"})
    make_teacher(problem)
    labels = {fold: bits(student(problem, fold, **taught())) for fold in (0, 1, 2)}
    run = problem.home.run("t")
    assert len(read_json(run.decision)["folds"]) == 3
    others = {"0": "4", "1": "4", "2": "4", "3": "0", "4": "0"}
    rows = np.flatnonzero(problem.folds == 1)
    cells = [others[cell] for cell in np.array(problem.train.cells("grade"))[rows]]
    changed = edited(problem, "samples", rows.tolist(), grade=cells)
    for unit in make_units(changed, "t"):
        record = read_json(unit.folder.record)
        publish_json(unit.folder.record, {**record, "inputs": unit.inputs})
    now = {fold: bits(student(changed, fold, **taught())) for fold in (0, 1, 2)}
    assert now[1] == labels[1]
    assert now[0] != labels[0]


def test_weights_of_a_blend_are_those_fitted_without_the_fold(tmp_path):
    problem = make_problem(tmp_path, metric="log_loss", submission={"gives": "scores"})
    members = [make_teacher(problem), make_teacher(problem, "u", seed=1)]
    blend(problem.home, "both", method="convex", members=["t", "u"], display=QUIET)
    stored = read_json(problem.home.run("both").blend)
    recipe = {"pseudo": {"run": "both", "labels": "soft"}}
    for fold in (0, 1, 2):
        extra = student(problem, fold, **recipe).extra
        weights = np.array(stored["without"][str(fold)]["weights"])
        parts = [predictions_file.read(units[fold].folder.test).scores for units in members]
        wanted = np.tensordot(weights, np.stack(parts), axes=1)
        assert extra is not None
        assert np.allclose(extra.soft, wanted, atol=1e-9)
    assert len({tuple(part["weights"]) for part in stored["without"].values()}) == 3


def test_a_refit_on_all_rows_is_taught_by_the_mean_over_all_folds(tmp_path):
    problem = make_problem(tmp_path, **FIXED)
    units = make_teacher(problem, refit="all")
    extra = student(problem, None, **taught(labels="soft")).extra
    wanted = np.mean([predictions_file.read(unit.folder.test).scores for unit in units[:3]], axis=0)
    assert np.allclose(extra.soft, wanted)


def test_the_surest_rows_are_kept_as_far_as_they_reach_the_limit(tmp_path):
    problem = make_problem(tmp_path, **FIXED)
    unit = make_teacher(problem)[0]
    top = predictions_file.read(unit.folder.test).scores.max(axis=1)
    limit = float(np.sort(top)[-12])
    kept = student(problem, 0, **taught(confidence=limit)).extra
    assert set(kept.samples.ids) == set(problem.test.ids[top >= limit])
    half = student(problem, 0, **taught(share=0.5)).extra
    assert set(half.samples.ids) == set(problem.test.ids[np.argsort(-top)[:15]])
    both = student(problem, 0, **taught(share=0.5, confidence=limit)).taken[0]
    assert len(both.rows) == 12
    assert both.dropped["not sure enough"] == 18
    with pytest.raises(RunError, match=r"no test row reaches pseudo.confidence 1.0: the surest"):
        _ = student(problem, 0, **taught(confidence=1.0)).extra


def test_test_rows_that_are_kin_to_the_held_out_fold_are_left_out_of_that_fold_alone(tmp_path):
    problem = make_problem(tmp_path, group_size=4, **FIXED)
    make_teacher(problem)
    row = int(np.flatnonzero(problem.folds == 1)[0])
    sha = problem.train.hashes[row]
    track = problem.train.cells("track")[row]
    changed = edited(problem, "samples", [120, 121], sha256=sha)
    changed = edited(changed, "samples", [121, 122, 123], track=track)
    for unit in make_units(changed, "t"):
        score(unit, seed=unit.fold)
    one = student(changed, 1, **taught()).taken[0]
    assert one.dropped == {"copies of held-out rows": 2, "in a group with held-out rows": 2}
    assert set(problem.test.ids) - set(one.rows.samples.ids) == {"x0000", "x0001", "x0002", "x0003"}
    for fold in (0, 2, None):
        assert len(student(changed, fold, **taught()).extra) == 30


def test_a_test_set_that_is_all_kin_to_a_fold_is_refused(tmp_path):
    problem = make_problem(tmp_path, group_size=40, **FIXED)
    track = problem.train.cells("track")[0]
    changed = edited(problem, "samples", list(range(120, 150)), track=track)
    make_teacher(changed)
    students = [student(changed, fold, **taught()) for fold in (0, 1)]
    free, refused = teach(students, display=QUIET)
    assert [unit.fold for unit in free] == [1]
    assert (
        "none of the 30 test rows can be trained on: 30 in a group with held-out rows"
        in (refused["student/fold0-seed0"])
    )


@pytest.mark.parametrize("stop", ["fixed", "inner"])
def test_external_rows_that_are_kin_to_what_is_held_out_or_to_test_are_left_out(tmp_path, stop):
    problem = with_external(tmp_path, group_size=4)
    held = int(np.flatnonzero(problem.folds == 0)[0])
    changed = edited(problem, "external", [0, 1], sha256=problem.train.hashes[held])
    changed = edited(changed, "external", [2], sha256=problem.test.hashes[5])
    changed = edited(changed, "external", [3], track=problem.train.cells("track")[held])
    recipe = {"external": [{"name": "more", "weight": 0.25}], "train": {"stop": stop}}
    taken = student(changed, 0, **recipe).taken[0]
    assert taken.dropped == {
        "copies of test rows": 1,
        "copies of held-out rows": 2,
        "in a group with held-out rows": 1,
    }
    assert taken.rows.samples.ids.tolist() == [f"external/more/{n}" for n in range(4, 12)]
    assert (taken.rows.weight == 0.25).all()
    other = student(changed, 2, **recipe).taken[0]
    if stop == "fixed":
        assert len(other.rows) == 11
    assert len(student(changed, None, external=["more"]).extra) == 11


def test_rows_by_which_the_epoch_is_chosen_are_held_out_as_well(tmp_path):
    problem = with_external(tmp_path)
    recipe = {"external": ["more"], "train": {"stop": "inner"}}
    unit = student(problem, 2, **recipe)
    chosen_on = unit.train_rows[inner_rows(problem, unit.train_rows, unit.seed)]
    changed = edited(problem, "external", [0], sha256=problem.train.hashes[chosen_on[0]])
    assert student(changed, 2, **recipe).taken[0].dropped["copies of held-out rows"] == 1
    assert len(student(changed, 2, external=["more"]).extra) == 12


def test_near_copies_are_left_out_as_well(tmp_path):
    problem = with_external(tmp_path)
    held = int(np.flatnonzero(problem.folds == 0)[0])
    near = thumbnails(problem.home, problem.train.take(np.array([held])))[0].copy()
    near[0, 0] = 255 - near[0, 0]
    sha = f"{99_999:064x}"
    write_blocks(problem.home.cache, THUMB, [(sha, near)])
    phash = problem.train.frame["phash"].iloc[held]
    changed = edited(problem, "external", [0], sha256=sha, phash=phash)
    assert student(changed, 0, external=["more"]).taken[0].dropped["copies of held-out rows"] == 1
    assert student(changed, 1, external=["more"]).taken[0].dropped["copies of held-out rows"] == 0


def test_external_data_that_are_our_own_again_are_refused(tmp_path):
    problem = with_external(tmp_path, num=3)
    changed = edited(problem, "external", [0, 1, 2], sha256=problem.test.hashes[0])
    with pytest.raises(RunError, match=r"external more: none of its 3 rows is left: 3 copies of t"):
        _ = student(changed, 0, external=["more"]).extra


def test_external_and_pseudo_rows_are_joined_with_their_own_weights(tmp_path):
    problem = with_external(tmp_path)
    make_teacher(problem)
    recipe = {"external": ["more"], **taught(labels="soft", weight=0.5)}
    unit = student(problem, 0, **recipe)
    extra = unit.extra
    assert [part.name for part in unit.taken] == ["more", "pseudo"]
    assert extra.weight.tolist() == [1.0] * 12 + [0.5] * 30
    assert np.array_equal(extra.soft[:12], problem.one_hot[:12])
    assert extra.places[:12].tolist() == list(range(150, 162))
    assert extra.places[12:].tolist() == list(range(120, 150))


def test_what_a_unit_is_made_from_includes_its_extra_rows(tmp_path):
    problem = with_external(tmp_path)
    teachers = make_teacher(problem)
    recipe = {"external": ["more"], **taught(labels="soft")}
    inputs = student(problem, 0, **recipe).inputs
    assert "extra" not in student(problem, 0).inputs
    assert student(problem, 0, **recipe).inputs == inputs
    classes = problem.competition.classes
    other = next(name for name in classes if name != problem.external.cells("label")[4])
    for cells in ({"label": other}, {"sha256": f"{55_555:064x}"}):
        noise = np.random.default_rng(8).integers(0, 256, (32, 32, 3)).astype(np.uint8)
        write_blocks(problem.home.cache, THUMB, [(f"{55_555:064x}", noise)])
        before = problem.home.external.read_bytes()
        changed = edited(problem, "external", [4], **cells)
        now = student(changed, 0, **recipe).inputs
        assert {key for key in now if now[key] != inputs[key]} == {"extra"}
        problem.home.external.write_bytes(before)
    score(teachers[1], seed=50)
    assert student(problem, 0, **recipe).inputs == inputs
    score(teachers[0], seed=51)
    now = student(problem, 0, **recipe).inputs
    assert {key for key in now if now[key] != inputs[key]} == {"extra"}


def test_a_student_whose_teacher_lacks_the_fold_says_what_to_train(tmp_path):
    problem = make_problem(tmp_path, **FIXED)
    units = make_units(problem, "t", folds=[0])
    score(units[0], seed=0)
    students = [student(problem, fold, **taught()) for fold in (0, 1)]
    free, refused = teach(students, display=QUIET)
    assert [unit.name for unit in free] == ["student/fold0-seed0"]
    assert refused == {
        "student/fold1-seed0": "t/fold1-seed0, which labels the test rows: is not trained\n"
        "run `foldwise train t` with fold 1 and seed 0 first"
    }
    assert students[1].inputs["extra"] is None


def test_a_teacher_that_peeked_is_refused(tmp_path):
    problem = make_problem(tmp_path, **FIXED)
    make_teacher(problem, train={"stop": "validation"})
    with pytest.raises(RunError, match="t: cannot label rows for others: its score is optimistic"):
        _ = student(problem, 0, **taught()).extra
