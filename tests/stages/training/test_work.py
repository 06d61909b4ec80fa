"""A unit's files: what training leaves, and test rows scored again from the stored weights."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from foldwise import predictions as predictions_file
from foldwise.engine.assemble import Assembly
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.predict import predict
from foldwise.stages.prepare import prepare
from foldwise.stages.train import train
from tests.builders import SMALL
from tests.stages.small_units import pretrained, ready, rescore, units, with_train, work

OWN_NETWORK = """
from torch import nn

def network(*, num_outputs, channels):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))
"""


def recipes(folder) -> dict[str, dict]:
    model = {"name": "small_cnn", "pretrained": pretrained(folder)}
    return {
        "scratch": {**SMALL, "views": ["identity", "hflip"]},
        "tuned": {**with_train(epochs=1), "model": model},
        "frozen": {**with_train(epochs=1), "model": model, "freeze": "backbone", "augment": []},
        "balanced": {**with_train(epochs=1), "imbalance": "sampler"},
    }


def keep_test_rows(home: Home, num: int) -> None:
    table = home.path.parent / "raw" / "test.csv"
    whole = table.with_name("all-test.csv")
    if not whole.exists():
        whole.write_text(table.read_text())
    table.write_text("".join(whole.read_text().splitlines(keepends=True)[: num + 1]))
    prepare(home)


@pytest.mark.parametrize("kind", ["scratch", "tuned", "frozen", "balanced"])
def test_new_test_rows_are_scored_as_training_would_have(tmp_path, kind):
    metric = {"metric": "log_loss"} if kind == "balanced" else {}
    recipe = recipes(tmp_path)[kind]
    whole = ready(tmp_path / "whole", recipe, competition=metric)
    work(units(whole)[0])
    home = ready(tmp_path / "grown", recipe, competition=metric)
    keep_test_rows(home, 9)
    work(unit := units(home)[0])
    old = predictions_file.read(unit.folder.test)
    weights = unit.folder.weights.stat().st_mtime_ns
    keep_test_rows(home, 10)
    unit = units(home)[0]
    assert unit.is_done()
    assert not unit.is_scored()
    rescore(unit)
    assert units(home)[0].is_scored()
    assert unit.folder.weights.stat().st_mtime_ns == weights
    other = units(whole)[0].folder
    for name in ("test.parquet", "reference-test.parquet", "unit.json"):
        path = unit.folder.path / name
        assert path.exists() == (other.path / name).exists()
        assert not path.exists() or path.read_bytes() == (other.path / name).read_bytes()
    new = predictions_file.read(unit.folder.test).align(old.ids, name="new")
    assert np.array_equal(new.scores, old.scores)
    assert rescore(unit) == "already done"


def test_train_scores_new_test_rows_and_predict_merges_them(tmp_path):
    home = ready(tmp_path, with_train(epochs=1))
    keep_test_rows(home, 9)
    for unit in units(home):
        work(unit)
    predict(home, "a")
    keep_test_rows(home, 10)
    with pytest.raises(RunError, match="test rows are others by now"):
        predict(home, "a")
    assert train(home, "a", display=Display(quiet=True)).failed == {}
    assert predict(home, "a").changed
    assert len(predictions_file.read(home.run("a").test)) == 10


def test_changed_weights_are_not_scored_with(tmp_path):
    home = ready(tmp_path, with_train(epochs=1))
    work(unit := units(home)[0])
    keep_test_rows(home, 9)
    unit.folder.weights.write_bytes(b"other")
    with pytest.raises(RunError, match="changed since it was trained"):
        rescore(units(home)[0])


def test_a_network_without_a_linear_head_takes_the_prior_out_too(tmp_path):
    recipe = {**with_train(epochs=1), "imbalance": "sampler", "augment": ["crop"],
              "model": {"name": "mine_headless:network"}}  # fmt: skip
    home = ready(tmp_path, recipe, competition={"metric": "log_loss"})
    home.code.mkdir()
    (home.code / "mine_headless.py").write_text(OWN_NETWORK)
    work(unit := units(home)[0])
    tensors = load_file(unit.folder.weights)
    assembly = Assembly(unit.problem, unit.recipe)
    offset = assembly.balancing.prior_offset(unit.train_rows)
    assert not assembly.network().has_features
    assert np.allclose(tensors["offset"], offset)
    images = torch.zeros(1, 3, 16, 16)
    with torch.no_grad():
        whole = assembly.trained_network(tensors).eval()(images)
        plain = assembly.trained_network({**tensors, "offset": torch.zeros(3)}).eval()(images)
    assert torch.allclose(whole - plain, tensors["offset"])


def test_how_the_head_was_chosen_is_recorded(tmp_path):
    home = ready(tmp_path, recipes(tmp_path)["frozen"])
    assert work(unit := units(home)[0]) == ""
    assert "inner folds" in read_json(unit.folder.record)["head"]


def test_a_frozen_backbone_needs_weights_and_takes_no_augmentation(tmp_path):
    home = ready(tmp_path, {**SMALL, "freeze": "backbone"})
    unit = units(home)[0]
    with pytest.raises(ConfigError) as caught:
        work(unit)
    assert caught.value.problems == (
        "freeze: backbone: the network has no pretrained weights, its features are random",
        "augment: crop, jitter cannot be honoured: freeze: backbone computes features once",
    )
    assert not unit.folder.choices.exists()
