"""stop: cross: the other folds' curves choose, whenever they were trained and whoever is done."""

import json

import numpy as np
import pytest

from foldwise.json_files import read_json
from foldwise.publish import locked, publish_json
from foldwise.stages.display import Display
from foldwise.stages.predict import predict
from foldwise.stages.train import run_units
from foldwise.stages.training.cross_stop import choose_epochs
from foldwise.stages.training.unit import Unit
from tests.stages.small_units import finish, ready, units, with_train, work

CROSS = with_train(epochs=3, stop="cross")
CURVES = {0: [0.5, 0.9, 0.6], 1: [0.2, 0.1, 0.8], 2: [0.4, 0.7, 0.65], None: [None, None, None]}


@pytest.fixture
def home(tmp_path):
    return ready(tmp_path, CROSS)


def wait(unit: Unit, curve: list[float | None] | None = None) -> None:
    """Leave what a trained unit leaves, with a curve of our own."""
    scores = CURVES[unit.fold] if curve is None else curve
    history = [{"valid_score": score} for score in scores]
    publish_json(unit.folder.pending, {"inputs": unit.inputs, "head": None, "history": history})


def end(unit: Unit) -> None:
    publish_json(unit.folder.record, {"inputs": unit.inputs, "test": unit.test_print})


def epochs(found: list[Unit]) -> list[int | None]:
    return [(read_json(unit.folder.pending) or {}).get("epoch") for unit in found]


def test_units_wait_for_the_other_folds_and_are_finished(home):
    found = units(home)
    for unit in found:
        assert "chosen" in work(unit)
        assert unit.is_pending()
    for unit in choose_epochs(found):
        finish(unit)
        assert unit.is_done()
        assert not (unit.folder.path / "epochs").exists()
        record, pending = read_json(unit.folder.record), read_json(unit.folder.pending)
        assert record["epochs"] == pending["epoch"] + 1
    assert predict(home, "a").folds == (0, 1, 2)


def test_the_mean_of_the_other_curves_chooses(home):
    found = units(home)
    for unit in found:
        wait(unit)
    assert choose_epochs(found) == found
    means = [np.mean([CURVES[f] for f in (0, 1, 2) if f != fold], axis=0) for fold in (0, 1, 2)]
    assert epochs(found) == [int(np.argmax(mean)) for mean in means] == [2, 1, 2]


def test_done_units_count_so_that_a_broken_off_end_chooses_the_same(home):
    found = units(home)
    for unit in found:
        wait(unit)
    whole = epochs(choose_epochs(found))
    for unit in found:
        wait(unit)
    end(choose_epochs(found[:1])[0])
    assert choose_epochs(found[1:]) == found[1:]
    assert epochs(found) == whole


def test_a_recorded_choice_stays(home):
    found = units(home)
    for unit in found[:2]:
        wait(unit)
    choose_epochs(found[:2])
    first = epochs(found)
    wait(found[2])
    choose_epochs(found)
    assert epochs(found)[:2] == first[:2] == [2, 1]
    assert epochs(found)[2] == 2


def test_two_folds_trained_one_after_the_other_both_end(home):
    first, second = units(home)[:2]
    wait(first)
    assert choose_epochs([first]) == []
    wait(second)
    assert choose_epochs([second]) == [second]
    end(second)
    assert choose_epochs([first]) == [first]
    assert epochs([first, second]) == [2, 1]


def test_other_seeds_and_schedules_and_empty_curves_have_no_say(home):
    found, other = units(home, seeds=(0, 1))[:3], units(home, seeds=(0, 1))[3:]
    short = units(home, seeds=(0, 1), epochs=2)[:3]
    wait(found[0])
    wait(other[1])
    wait(short[2], [0.1, 0.9])
    assert choose_epochs([found[0], other[1]]) == []
    wait(found[1], [None, None, None])
    assert choose_epochs([found[0]]) == []
    wait(found[2], [None, 0.2, None])
    assert choose_epochs([found[0]]) == [found[0]]
    assert epochs(found[:1]) == [1]


def test_a_unit_that_another_process_works_on_is_left_to_it(home):
    found = units(home)
    for unit in found:
        wait(unit)
    with locked(found[1].folder.lock, doing="finishing"):
        assert choose_epochs(found) == [found[0], found[2]]


def test_a_longer_schedule_that_waits_is_finished_and_not_shortened(home):
    found = units(home)
    for unit in found:
        work(unit)
    short = units(home, epochs=2)
    assert all(unit.is_pending() for unit in short)
    assert all("already" in work(unit) for unit in short)
    chosen = choose_epochs(short)
    assert [unit.epochs for unit in chosen] == [None] * 3
    finish(chosen[0])
    assert json.loads(found[0].folder.record.read_text())["inputs"] == found[0].inputs


def test_who_waits_is_said(home, capsys):
    found = units(home)
    work(found[0])
    assert list(run_units(found[:1], display=Display(quiet=True))) == []
    assert (
        "a/fold0-seed0 is trained and waits for its epoch to be chosen: no other fold"
        in capsys.readouterr().out
    )
