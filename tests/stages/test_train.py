import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from foldwise import predictions as predictions_file
from foldwise.engine.assemble import Assembly
from foldwise.engine.infer import infer
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.predict import predict
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.train import run_units, units_of
from foldwise.tasks.problem import open_problem
from foldwise.views import views_of
from tests.builders import SMALL
from tests.stages.small_units import pretrained, ready, units, with_train, work


def test_a_unit_leaves_its_files_and_is_not_trained_again(tmp_path):
    home = ready(tmp_path)
    first = units(home)[0]
    assert not first.is_done()
    work(first)
    assert units(home)[0].is_done()
    record = json.loads(first.folder.record.read_text())
    assert record["epochs"] == 2
    scored = predictions_file.read(first.folder.valid)
    assert set(scored.ids) == set(first.problem.train.ids[first.valid_rows])
    assert (scored.folds == 0).all()
    assert not first.folder.checkpoint.exists()
    before = first.folder.weights.stat().st_mtime_ns
    assert work(first) == "already done"
    assert first.folder.weights.stat().st_mtime_ns == before


def test_what_a_kill_right_after_the_record_has_left_is_dropped(tmp_path):
    home = ready(tmp_path)
    unit = units(home)[0]
    work(unit)
    for again in (lambda: work(unit), lambda: list(run_units([unit], display=Display(quiet=True)))):
        unit.folder.checkpoint.mkdir()
        (unit.folder.checkpoint / "epoch-0001.safetensors").touch()
        again()
        assert not unit.folder.has_states


def test_workers_change_nothing(tmp_path):
    found = []
    for workers in (0, 1, 2, 4):
        home = ready(tmp_path / str(workers), with_train(workers=workers))
        unit = units(home)[0]
        work(unit)
        found.append(unit.folder.weights.read_bytes())
    assert found[1:] == found[:1] * 3


def test_seeds_and_folds_are_trained_apart(tmp_path):
    home = ready(tmp_path)
    for unit in (found := units(home, seeds=(0, 1))):
        work(unit)
    weights = {unit.folder.weights.read_bytes() for unit in found}
    assert len(weights) == 6
    merged = predict(home, "a")
    assert merged.folds == (0, 1, 2)
    oof = predictions_file.read(merged.run.oof)
    parts = [predictions_file.read(u.folder.valid) for u in found if u.fold == 1]
    mean = np.mean([part.scores for part in parts], axis=0)
    assert np.allclose(oof.align(parts[0].ids, name="oof").scores, mean)


def test_new_training_rows_make_units_stale_but_not_the_code_of_others(tmp_path):
    home = ready(tmp_path)
    unit = units(home)[0]
    work(unit)
    table = home.path.parent / "raw" / "train.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-1]) + "\n")
    prepare(home)
    split(home)
    assert not units(home)[0].is_done() or lines[-1].split(",")[0] in set(
        unit.problem.train.ids[unit.valid_rows]
    )


def test_the_head_starts_from_the_solution_and_epoch_0_is_the_reference(tmp_path):
    recipe = with_train(epochs=0)
    recipe["model"] = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    frozen = ready(tmp_path / "frozen", {**recipe, "freeze": "backbone", "augment": []})
    work(units(frozen)[0])
    tuned = ready(tmp_path / "tuned", recipe)
    work(units(tuned)[0])
    scores = [predictions_file.read(units(home)[0].folder.valid).scores for home in (frozen, tuned)]
    assert np.allclose(*scores, atol=1e-5)
    reference = predictions_file.read(units(tuned)[0].folder.reference_valid)
    assert np.allclose(reference.scores, scores[0], atol=1e-6)
    network = Assembly(units(frozen)[0].problem, units(frozen)[0].recipe).network()
    network.load_state_dict(load_file(units(frozen)[0].folder.weights))


def test_a_frozen_head_can_train_further_on_cached_features(tmp_path):
    recipe = with_train(epochs=2)
    recipe["model"] = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    home = ready(tmp_path, {**recipe, "freeze": "backbone", "augment": [], "views":
                            ["identity", "hflip"]})  # fmt: skip
    unit = units(home)[0]
    work(unit)
    before = load_file(unit.folder.head)["weight"]
    after = load_file(unit.folder.weights)["head.weight"]
    assert not torch.equal(before, after)


@pytest.mark.parametrize("stop", ["inner", "validation"])
def test_the_best_epoch_is_kept(tmp_path, stop):
    home = ready(tmp_path, with_train(epochs=3, stop=stop))
    unit = units(home)[0]
    work(unit)
    rows = unit.folder.history.read_text().splitlines()
    assert len(rows) == 4


def test_the_history_has_every_term_of_the_loss(tmp_path):
    home = ready(tmp_path, {**SMALL, "formulation": "expectation"}, task="ordinal")
    unit = units(home, epochs=1)[0]
    work(unit)
    header, first = unit.folder.history.read_text().splitlines()
    row = dict(zip(header.split(","), map(float, first.split(",")), strict=True))
    for part in ("train", "valid"):
        terms = row[f"{part}_cross_entropy"] + row[f"{part}_squared_error"]
        assert terms == pytest.approx(row[f"{part}_loss"], rel=1e-5)


def test_a_refit_scores_the_test_rows_and_has_no_fold_of_its_own(tmp_path):
    home = ready(tmp_path, {**SMALL, "refit": "all"})
    found = units(home)
    assert [unit.fold for unit in found] == [0, 1, 2, None]
    for unit in found:
        work(unit)
    merged = predict(home, "a")
    test = predictions_file.read(merged.run.test)
    own = predictions_file.read(found[-1].folder.test)
    assert np.array_equal(test.scores, own.scores)
    assert not found[-1].folder.valid.exists()


def test_shortened_units_are_other_units(tmp_path):
    home = ready(tmp_path)
    short = units(home, epochs=1)[0]
    work(short)
    assert short.is_done()
    assert not units(home)[0].is_done()
    work(units(home)[0])
    assert len(units(home)[0].folder.history.read_text().splitlines()) == 3


def test_imbalance_is_taken_out_of_probabilities(tmp_path):
    recipe = {**with_train(epochs=1), "imbalance": "sampler"}
    home = ready(tmp_path, recipe, competition={"metric": "log_loss"})
    unit = units(home)[0]
    assembly = Assembly(unit.problem, unit.recipe)
    offset = assembly.balancing.prior_offset(unit.train_rows)
    counts = np.bincount(unit.problem.target[unit.train_rows])
    assert np.allclose(np.exp(offset) / np.exp(offset).sum(), counts / counts.sum())
    work(unit)
    network = assembly.network()
    network.load_state_dict(load_file(unit.folder.weights))
    source = assembly.feed.source(unit.problem.train.take(unit.valid_rows))
    logits = infer(
        network.eval(), source, views=views_of(["identity"]), batch=64, device=torch.device("cpu")
    )["identity"]
    scores = assembly.formulation.activate(logits)
    assert np.allclose(scores, predictions_file.read(unit.folder.valid).scores, atol=1e-6)


def test_what_cannot_be_honoured_is_refused(tmp_path):
    home = ready(tmp_path, competition={"metric": "accuracy"})
    problem = open_problem(home)
    recipe = load_recipe(home, "a", overrides=["loss=bce"])
    with pytest.raises(ConfigError, match="does not fit formulation softmax"):
        Assembly(problem, recipe).loss()
    with pytest.raises(ConfigError, match="unknown"):
        _ = Assembly(problem, load_recipe(home, "a", overrides=["formulation=borders"])).formulation
    with pytest.raises(RunError, match="no fold 7"):
        units_of(problem, recipe, RunDir(home.runs / "a"), folds=[7])


def test_a_copied_run_folder_can_be_merged_elsewhere(tmp_path):
    home = ready(tmp_path / "one")
    for unit in units(home):
        work(unit)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    moved = Home(tmp_path / "two" / "comp")
    assert predict(moved, "a").folds == (0, 1, 2)
