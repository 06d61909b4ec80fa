"""Features of units: what the head of the very network saw, one space a file."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from safetensors.numpy import load_file
from scipy.special import softmax

from foldwise import predictions as predictions_file
from foldwise.config.recipe import Recipe
from foldwise.errors import BudgetError, RunError
from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.stages.display import Display
from foldwise.stages.features import features
from foldwise.stages.featuring.files import features_path, is_written, num_features, read
from foldwise.stages.prepare import prepare
from tests.stages.second_level_homes import ONE_EPOCH, frozen, ready, train, units, write
from tests.stages.small_competition import QUIET

#: Its end is no linear layer: what comes after it changes the logits.
OWN_NETWORK = """
from torch import nn


class Net(nn.Module):
    def __init__(self, num_outputs, channels):
        super().__init__()
        self.last = nn.Linear(channels * 256, num_outputs)

    def forward(self, images):
        return self.last(images.flatten(1)).clone()


def network(*, num_outputs, channels):
    return Net(num_outputs, channels)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    own = {**ONE_EPOCH, "model": {"name": "mine:network"}}
    home = ready(folder, {"tuned": ONE_EPOCH, "frozen": frozen(folder), "own": own})
    home.code.mkdir()
    (home.code / "mine.py").write_text(OWN_NETWORK)
    for name in ("tuned", "frozen"):
        train(home, name)
    return home


def test_the_head_on_the_features_gives_the_networks_own_predictions(home):
    for unit in units(home, "tuned"):
        write(unit)
        weights, found = load_file(unit.folder.weights), read(unit)
        assert found.train.shape == (36, num_features(unit))
        logits = found.train @ weights["head.weight"].T + weights["head.bias"]
        stored = predictions_file.read(unit.folder.valid).align(
            unit.problem.train.ids[unit.valid_rows], name="valid"
        )
        np.testing.assert_allclose(softmax(logits, axis=1)[unit.valid_rows], stored.raw, atol=1e-6)
        logits = found.test @ weights["head.weight"].T + weights["head.bias"]
        stored = predictions_file.read(unit.folder.test).align(unit.problem.test.ids, name="test")
        np.testing.assert_allclose(softmax(logits, axis=1), stored.raw, atol=1e-6)


def test_each_tuned_unit_has_a_file_and_units_of_a_frozen_backbone_share_one(home):
    tuned = units(home, "tuned")
    for unit in tuned:
        write(unit)
    first, second = units(home, "frozen")
    assert features_path(first) == features_path(second)
    assert write(first) == ""
    assert write(second) == "already there"
    np.testing.assert_array_equal(read(first).train, read(second).train)
    assert features_path(tuned[0]) != features_path(tuned[1])
    assert np.abs(read(tuned[0]).train - read(tuned[1]).train).max() > 1e-4


def test_the_table_says_split_and_fold(home):
    unit = units(home, "tuned")[0]
    write(unit)
    table = pd.read_parquet(features_path(unit))
    assert table["split"].value_counts().to_dict() == {"train": 36, "test": 10}
    by_id = dict(zip(table["id"], table["fold"], strict=True))
    problem = unit.problem
    assert [by_id[name] for name in problem.train.ids] == problem.folds.tolist()
    assert table["fold"][table["split"] == "test"].isna().all()
    assert np.stack(table["features"]).shape == (46, num_features(unit))


def test_features_written_again_are_the_same_bytes(home):
    unit = units(home, "tuned")[0]
    write(unit)
    path = features_path(unit)
    before = path.read_bytes()
    path.unlink()
    assert not is_written(unit)
    with pytest.raises(RunError, match="run `foldwise features tuned`"):
        read(unit)
    write(unit)
    assert path.read_bytes() == before


def test_other_weights_or_test_rows_make_features_stale(home, tmp_path):
    shutil.copytree(home.path.parent, tmp_path / "copy")
    home = Home(tmp_path / "copy" / "comp")
    unit = units(home, "tuned")[0]
    write(unit)
    assert is_written(unit)
    table = tmp_path / "copy" / "raw" / "test.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-2]))
    prepare(home)
    fewer = units(home, "tuned")[0]
    assert not is_written(fewer)
    write(fewer)
    assert len(read(fewer).test) == 8
    unit.folder.weights.write_bytes(b"of another training")
    features_path(unit).unlink()
    with pytest.raises(RunError, match="absent or changed since it was trained"):
        write(fewer)


def test_a_network_without_a_linear_end_has_no_features(home):
    unit = train(home, "own")[0]
    with pytest.raises(RunError, match="own has no features: its network ends in something other"):
        num_features(unit)


def test_features_tells_disk_and_time_and_does_only_what_is_missing(home, capsys):
    first, second = units(home, "tuned")
    write(first)
    features_path(second).unlink(missing_ok=True)
    kept = features_path(first).stat().st_mtime_ns
    done = features(home, "tuned", display=Display(Console(width=500)))
    assert done.changed == (features_path(second),)
    assert set(done.paths) == {first.name, second.name}
    assert features_path(first).stat().st_mtime_ns == kept
    said = capsys.readouterr().out
    assert re.search(r"features of tuned: 1 file needs 0\.0 MB, .* are free; about \d+ s", said)
    features(home, "tuned", display=Display(Console(width=500)))
    assert "tuned: features are up to date" in capsys.readouterr().out


def test_a_full_disk_is_told_before_any_work(home, monkeypatch):
    features_path(units(home, "frozen")[0]).unlink(missing_ok=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(BudgetError, match=r"features of frozen: 1 file needs .* are free"):
        features(home, "frozen", display=QUIET)


def test_runs_that_can_give_no_features_are_named(home):
    with pytest.raises(RunError, match="there is no run 'none'"):
        features(home, "none", display=QUIET)
    publish_json(home.run("joined").record, {"kind": "blend"})
    with pytest.raises(RunError, match="joined is a blend: it has no network"):
        features(home, "joined", display=QUIET)
    recipe = Recipe(features="tuned", head="ridge").model_dump(mode="json")
    publish_json(home.run("second").record, {"kind": "recipe", "recipe": recipe})
    with pytest.raises(RunError, match=r"(?s)second is a second-level model.*it reads: tuned"):
        features(home, "second", display=QUIET)
