"""Which units are merged: the seeds with the most folds, and all rows over the same seeds."""

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.stages.display import Display
from foldwise.stages.predict import predict
from foldwise.stages.training.unit import Unit
from tests.stages.small_units import ready, units

QUIET = Display(quiet=True)


def end(unit: Unit, value: float) -> None:
    """Leave what a done unit leaves, all its scores alike."""
    problem = unit.problem
    rows = problem.train.take(unit.valid_rows)
    for samples, path, fold in (
        (rows, unit.folder.valid, np.full(len(rows), unit.fold or 0)),
        (problem.test, unit.folder.test, None),
    ):
        scores = np.full((len(samples), 3), value)
        found = Predictions(samples.ids, scores, problem.columns, folds=fold)
        predictions_file.write(path, found)
    publish_json(unit.folder.record, {"inputs": unit.inputs, "test": unit.test_print})


def merge(home: Home, done: dict[tuple[int | None, int], float]):
    for unit in units(home, seeds=(0, 1, 2)):
        if (unit.fold, unit.seed) in done:
            end(unit, done[unit.fold, unit.seed])
    return predict(home, "a", display=QUIET)


def values(home: Home) -> set[float]:
    return set(predictions_file.read(home.run("a").oof).scores.ravel())


def test_a_second_seed_that_is_half_done_leaves_the_complete_folds(tmp_path, capsys):
    home = ready(tmp_path)
    done = {(0, 0): 1.0, (1, 0): 1.0, (2, 0): 1.0, (0, 1): 3.0}
    merged = merge(home, done)
    assert (merged.folds, merged.missing, merged.left_out) == ((0, 1, 2), (), (1,))
    assert values(home) == {1.0}
    assert "seed 1 left out: fewer folds than seed 0" in capsys.readouterr().out
    assert set(read_json(home.run("a").path / "merged.json")) == {
        "fold0-seed0", "fold1-seed0", "fold2-seed0",
    }  # fmt: skip


def test_all_seeds_with_the_most_folds_count(tmp_path):
    home = ready(tmp_path)
    done = {(fold, seed): 1.0 + seed for fold in range(3) for seed in (0, 2)}
    merged = merge(home, {**done, (1, 1): 9.0})
    assert merged.left_out == (1,)
    assert values(home) == {2.0}
    merged = merge(home, {(fold, 1): 2.0 for fold in range(3)})
    assert (merged.left_out, merged.changed) == ((), True)
    assert values(home) == {2.0}


def test_of_equally_many_folds_those_of_more_seeds_count(tmp_path):
    home = ready(tmp_path)
    merged = merge(home, {(0, 0): 1.0, (1, 1): 5.0, (1, 2): 7.0})
    assert (merged.folds, merged.missing, merged.left_out) == ((1,), (0, 2), (0,))
    assert values(home) == {6.0}


def test_a_refit_of_a_seed_that_is_left_out_does_not_count(tmp_path):
    home = ready(tmp_path, competition={}, recipe={"model": {"name": "small_cnn"},
                 "input": {"size": 16, "zoom": 1.25}, "refit": "all"})  # fmt: skip
    merge(home, {(0, 0): 1.0, (1, 0): 1.0, (0, 1): 1.0, (None, 1): 4.0})
    assert (predictions_file.read(home.run("a").test).scores == 1.0).all()
    merge(home, {(None, 0): 8.0})
    assert (predictions_file.read(home.run("a").test).scores == 8.0).all()


def test_nothing_done_is_said(tmp_path):
    home = ready(tmp_path)
    units(home)
    with pytest.raises(RunError, match="no fold is done"):
        predict(home, "a")
