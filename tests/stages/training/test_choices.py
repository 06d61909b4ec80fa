"""What a folder held is removed once new work begins, and not for work that cannot begin."""

import json
from pathlib import Path

import pytest

from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.training.choices import Choices, begin, choose, reuse
from foldwise.stages.training.unit import Unit
from tests.stages.small_units import ready, units, with_train, work


def contents(unit: Unit) -> dict[str, bytes]:
    kept = ("timing.jsonl", ".lock")
    files = (path for path in unit.folder.path.rglob("*") if path.is_file())
    return {str(p): p.read_bytes() for p in files if p.name not in kept}


def wrong_option(home: Home) -> None:
    path = home.run("a").record
    record = json.loads(path.read_text())
    record["recipe"]["train"]["optimizer"] = "adamww"
    publish_json(path, record)


def test_work_that_cannot_begin_leaves_the_old_results(tmp_path):
    home = ready(tmp_path)
    unit = units(home)[0]
    work(unit)
    before = contents(unit)
    wrong_option(home)
    with pytest.raises(ConfigError, match="adamww"):
        work(unit)
    assert contents(unit) == before


def test_a_metric_that_fails_leaves_the_old_results(tmp_path):
    home = ready(tmp_path, with_train(stop="inner"))
    unit = units(home)[0]
    work(unit)
    before = contents(unit)
    home.code.mkdir()
    (home.code / "mine_metric.py").write_text(
        "from dataclasses import replace\n"
        "from foldwise.metrics import METRICS\n"
        "def broken(preds, target, weight=None):\n    return nothing\n"
        "m = replace(METRICS['accuracy'], function=broken)\n"
    )
    text = home.competition.read_text()
    home.competition.write_text(text.replace("metric: accuracy", "metric: mine_metric:m"))
    assert not units(home)[0].is_done()
    with pytest.raises(NameError):
        work(units(home)[0])
    assert contents(unit) == before


def test_new_work_removes_what_was_there(tmp_path):
    home = ready(tmp_path)
    short = units(home, epochs=1)[0]
    work(short)
    (short.folder.path / "epochs").mkdir()
    unit = units(home)[0]
    new = Choices(unit.inputs, 1, "cpu")
    begin(unit, new)
    left = {path.name for path in unit.folder.path.iterdir()}
    assert left <= {"choices.json", "timing.jsonl", ".lock"}
    unit.folder.history.write_text("mine")
    begin(unit, new)
    assert unit.folder.history.read_text() == "mine"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_removal_that_is_broken_off_leaves_nothing_that_counts(tmp_path, monkeypatch, number):
    home = ready(tmp_path)
    old, unit = units(home, epochs=1)[0], units(home)[0]
    old.folder.path.mkdir(parents=True)
    begin(old, Choices(old.inputs, 1, "cpu"))
    publish_json(old.folder.record, {"inputs": old.inputs})
    for path in (old.folder.weights, old.folder.valid, old.folder.history):
        path.write_text("old")
    assert old.is_done()
    calls = [0]
    unlink = Path.unlink

    def failing(path: Path, missing_ok: bool = False) -> None:
        calls[0] += 1
        if calls[0] == number:
            raise OSError("broken off")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", failing)
    new = Choices(unit.inputs, 1, "cpu")
    with pytest.raises(OSError, match="broken off"):
        begin(unit, new)
    monkeypatch.undo()
    assert old.is_done() == (number == 1)
    assert read_json(unit.folder.choices)["inputs"] == old.inputs
    begin(unit, new)
    assert {path.name for path in unit.folder.path.iterdir()} == {"choices.json"}


def test_a_unit_begun_on_a_device_that_is_not_here_begins_afresh_and_says_so(tmp_path):
    home = ready(tmp_path)
    unit = units(home)[0]
    unit.folder.path.mkdir(parents=True)
    begin(unit, Choices(unit.inputs, 2, "tpu"))
    unit.folder.checkpoint.mkdir()
    (unit.folder.checkpoint / "epoch-0001.json").write_text("{}")
    found = choose(unit, 1)
    assert (found.threads, found.device) == (1, "cpu")
    assert "begun on tpu, which this machine has not" in work(unit)
    assert "begun on tpu" in read_json(unit.folder.record)["notes"][0]


def test_choices_are_kept_where_the_device_is_here(tmp_path):
    home = ready(tmp_path)
    unit = units(home)[0]
    unit.folder.path.mkdir(parents=True)
    begin(unit, Choices(unit.inputs, 7, "cpu"))
    assert choose(unit, 1) == reuse(unit, 1) == Choices(unit.inputs, 7, "cpu")
    begin(unit, Choices(unit.inputs, 7, "tpu"))
    assert reuse(unit, 1).notes == ("trained on tpu, scored on cpu",)
