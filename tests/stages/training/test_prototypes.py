"""Units whose heads are prototypes: their terms, the same bits after a kill, what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from foldwise import predictions as predictions_file
from foldwise.engine.assemble import Assembly
from foldwise.home import Home
from foldwise.stages.examining.binding import bind_recipe
from foldwise.stages.examining.trial import try_recipe
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.training.unit import Unit
from tests.builders import make_home
from tests.stages.small_units import pretrained, ready, rescore, units, with_train, work
from tests.stages.training.test_objectives import stop_after_first_epoch

_AFFINITY: dict[str, Any] = {
    **with_train(epochs=2),
    "formulation": "affinity",
    "model": {"name": "small_cnn", "prototypes": {"per_class": 2, "embedding": 8}},
}


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Unit:
    found = units(ready(tmp_path_factory.mktemp("affinity"), _AFFINITY))[0]
    work(found)
    return found


def test_loss_and_diversity_are_in_the_history(unit: Unit) -> None:
    with unit.folder.history.open() as file:
        for row in csv.DictReader(file):
            terms = [float(row["train_label"]), float(row["train_diversity"])]
            assert all(term > 0 for term in terms)
            assert sum(terms) == pytest.approx(float(row["train_loss"]), rel=1e-5)


def test_scores_are_shares_and_stored_weights_give_them_again(unit: Unit) -> None:
    scores = predictions_file.read(unit.folder.valid).scores
    assert np.allclose(scores.sum(axis=1), 1.0)
    before = unit.folder.test.read_bytes()
    tensors = load_file(unit.folder.weights)
    assert tensors["head.prototypes"].shape == (3, 2, 8)
    network = Assembly(unit.problem, unit.recipe).trained_network(tensors)
    assert network.head.out_features == 3
    record = json.loads(unit.folder.record.read_text())
    unit.folder.record.write_text(json.dumps({**record, "test": "other"}))
    rescore(unit)
    assert unit.folder.test.read_bytes() == before


def test_a_unit_that_is_killed_goes_on_to_the_same_bits(
    tmp_path: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = {**_AFFINITY["train"], "workers": 2}
    other = units(ready(tmp_path, {**_AFFINITY, "train": train}))[0]
    stop_after_first_epoch(monkeypatch, other)
    work(other)
    assert other.folder.weights.read_bytes() == unit.folder.weights.read_bytes()


def test_rare_classes_are_learned_beside_a_common_one(tmp_path: Path) -> None:
    recipe = {**_AFFINITY, "train": with_train(epochs=30)["train"], "augment": []}
    home = make_home(tmp_path, recipes={"a": recipe}, num_train=90)
    path = home.path.parent / "raw" / "train.csv"
    table = pd.read_csv(path, dtype=str)
    counts = table.groupby("label").cumcount()
    table[(table["label"] == table["label"][0]) | (counts < 6)].to_csv(path, index=False)
    prepare(home)
    split(home)
    found = units(home)[0]
    work(found)
    valid = predictions_file.read(found.folder.valid)
    target = found.problem.target[found.valid_rows]
    recalls = [(valid.scores.argmax(axis=1)[target == c] == c).mean() for c in np.unique(target)]
    assert len(recalls) == 3
    assert min(recalls) >= 0.5
    assert np.mean(recalls) > 0.8


def test_mixed_targets_and_weights_train_too(tmp_path: Path) -> None:
    recipe = {**with_train(epochs=1), "formulation": "affinity"}
    recipe |= {"mix": "mixup", "imbalance": "weights"}
    work(found := units(ready(tmp_path, recipe))[0])
    assert np.isfinite(predictions_file.read(found.folder.valid).scores).all()


_FROZEN = ["freeze=backbone", "augment=[]", "model.pretrained={weights}"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ready(tmp_path_factory.mktemp("refused"), _AFFINITY)


@pytest.mark.parametrize(
    ("overrides", "key", "found", "remedy"),
    [
        (_FROZEN, "freeze", "cannot be solved", "trainable: head"),
        (["model.pretrained={weights}"], "train.head_start", "cannot be solved", "set it to false"),
        (["train.epochs=0"], "train.epochs", "stay as they start", "train some epochs"),
        (["model.multi_sample_dropout={}"], "model.multi_sample_dropout", "logits of a", "take it"),
        (["model.branch={}"], "model.branch", "logits of a linear layer", "take it out"),
        (["loss=cross_entropy"], "loss", "does not fit formulation affinity", "affinity"),
        (["imbalance=logit_adjustment"], "imbalance", "shifts the logits of a softmax", "softmax"),
        (["formulation=softmax"], "model.prototypes", "without prototypes", "affinity"),
        (["loss={name: affinity, margin: 2}"], "loss", "less than or equal to 1", ""),
    ],
)
def test_what_prototypes_cannot_honour_is_refused(
    home: Home, tmp_path: Path, overrides: list[str], key: str, found: str, remedy: str
) -> None:
    weights = pretrained(tmp_path)
    asked = [override.replace("{weights}", weights) for override in overrides]
    recipe = load_recipe(home, "a", overrides=asked)
    failures = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    told = [failure for failure in failures if failure.key == key]
    assert told, failures
    assert any(found in problem for problem in told[0].problems)
    assert remedy in str(told[0].remedy)


def test_the_doctor_learns_a_batch_by_heart(home: Home, tmp_path: Path) -> None:
    recipe = load_recipe(home, "a", overrides=["train.lr=0.01"])
    picture = str(tmp_path / "batch.png")
    text = json.dumps(recipe.model_dump(mode="json"))
    tried = try_recipe(str(home.path), text, "a", picture, 1)
    assert tried.failures == ()
    assert tried.facts is not None
    assert tried.facts.attempts[0].is_learned
