"""Formulations, losses and balances as whole units are trained with them."""

import csv

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from foldwise import predictions as predictions_file
from foldwise.engine.assemble import Assembly
from foldwise.engine.fitting import fit_plan
from foldwise.home import Home
from foldwise.stages.prepare import prepare
from foldwise.stages.training import course
from foldwise.stages.training.unit import Unit
from tests.builders import SMALL
from tests.stages.small_units import pretrained, ready, rescore, units, with_train, work
from tests.stages.training.test_work import keep_test_rows


@pytest.mark.parametrize("name", ["two_step", "coral", "corn"])
def test_an_ordinal_head_is_solved_and_trained(tmp_path, name):
    model = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    recipe = {**with_train(epochs=1), "model": model, "formulation": name}
    home = ready(tmp_path / "home", recipe, task="ordinal")
    work(unit := units(home)[0])
    scores = predictions_file.read(unit.folder.valid)
    assert scores.scores.min() >= 0
    assert scores.scores.max() <= 2
    assert len(scores.raw_columns) == (2 if name in ("coral", "corn") else 3)
    if name in ("coral", "corn"):
        assert (np.diff(scores.raw, axis=1) <= 0).all()
    # The solved head has seen the ramp that makes the grade.
    reference = predictions_file.read(unit.folder.reference_valid)
    grades = unit.problem.target[unit.valid_rows]
    assert np.corrcoef(reference.scores[:, 0], grades)[0, 1] > 0.8
    if name == "coral":
        scores_new_test_rows(home, unit)


def scores_new_test_rows(home: Home, unit: Unit) -> None:
    old = predictions_file.read(unit.folder.reference_test)
    keep_test_rows(home, 9)
    rescore(units(home)[0])
    again = predictions_file.read(unit.folder.reference_test)
    assert np.array_equal(old.align(again.ids, name="old").scores, again.scores)


def test_a_stopped_unit_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    recipe = {
        **with_train(epochs=2),
        "formulation": "coral",
        "imbalance": {"name": "effective_number", "beta": 0.9},
    }
    found = []
    for stops in (False, True):
        home = ready(tmp_path / str(stops), recipe, task="ordinal")
        unit = units(home)[0]
        if stops:
            stop_after_first_epoch(monkeypatch, unit)
        work(unit)
        found.append(unit.folder.weights.read_bytes())
    assert found[0] == found[1]


def stop_after_first_epoch(monkeypatch, unit: Unit) -> None:
    real = course.checkpoint.save

    def save(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(course.checkpoint, "save", save)
        with pytest.raises(KeyboardInterrupt):
            work(unit)


def test_a_sums_terms_are_in_the_history(tmp_path):
    loss = ["cross_entropy", {"name": "soft_kappa", "weight": 0.5}, {"name": "squared_emd"}]
    recipe = {**with_train(epochs=1), "loss": loss, "imbalance": "weights"}
    home = ready(tmp_path, recipe, task="ordinal")
    work(unit := units(home)[0])
    with unit.folder.history.open() as file:
        (row,) = csv.DictReader(file)
    for part in ("train", "valid"):
        names = ("cross_entropy", "soft_kappa", "squared_emd")
        assert sum(float(row[f"{part}_{name}"]) for name in names) == pytest.approx(
            float(row[f"{part}_loss"]), rel=1e-4
        )


def test_sigmoids_for_exclusive_classes_give_probabilities(tmp_path):
    recipe = {
        **with_train(epochs=1),
        "formulation": "sigmoid",
        "loss": "asymmetric",
        "mix": "cutmix",
    }
    home = ready(tmp_path, recipe, competition={"metric": "log_loss"})
    work(unit := units(home)[0])
    scores = predictions_file.read(unit.folder.valid)
    assert np.allclose(scores.scores.sum(axis=1), 1.0)
    raw = scores.raw / scores.raw.sum(axis=1, keepdims=True)
    assert np.allclose(scores.scores, raw)


def test_a_logit_adjusted_head_with_its_shares_put_back_is_the_plain_one(tmp_path):
    scores = {}
    for imbalance in ("none", "logit_adjustment"):
        recipe = {**SMALL, "freeze": "backbone", "augment": [], "imbalance": imbalance}
        recipe["model"] = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
        recipe["train"] = {**SMALL["train"], "epochs": 0}
        home = ready(tmp_path / imbalance, recipe, competition={"metric": "log_loss"})
        make_rare(home)
        work(unit := units(home)[0])
        scores[imbalance] = predictions_file.read(unit.folder.valid).scores
    tensors = load_file(unit.folder.weights)
    counts = np.bincount(unit.problem.target[unit.train_rows])
    assert counts.min() < counts.max()
    shares = np.exp(tensors["offset"].double().numpy())
    assert np.allclose(shares / shares.sum(), counts / counts.sum())
    assert np.allclose(scores["none"], scores["logit_adjustment"], atol=1e-6)


def make_rare(home: Home) -> None:
    """Two in three rows of class 2 become class 0; the folds keep their rows."""
    table = home.path.parent / "raw" / "train.csv"
    head, *lines = table.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for place, row in enumerate(r for r in rows if r[2] == "2"):
        row[2] = "0" if place % 3 else "2"
    table.write_text("\n".join([head, *(",".join(row) for row in rows)]) + "\n")
    prepare(home)


def test_logits_are_shifted_in_the_training_loss_only(tmp_path):
    recipe = {**with_train(epochs=1), "imbalance": {"name": "logit_adjustment", "tau": 0.5}}
    home = ready(tmp_path, recipe)
    make_rare(home)
    unit = units(home)[0]
    assembly = Assembly(unit.problem, unit.recipe)
    plan = fit_plan(
        assembly, unit.train_rows, torch.device("cpu"),
        batches=lambda epoch, first: iter(()), stages=assembly.stages(), seed=0, fold=0,
    )  # fmt: skip
    counts = np.bincount(unit.problem.target[unit.train_rows])
    shift = plan.logit_shift.numpy()
    assert np.allclose(shift - shift[0], 0.5 * np.log(counts / counts[0]), atol=1e-6)
    assert plan.row_weights is None
    assert assembly.balancing.prior_offset(unit.train_rows) is None  # Accuracy keeps the balance.
    assert assembly.balancing.class_weights(unit.train_rows) is None
