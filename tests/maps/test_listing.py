"""Predictions of kind map: written beside their table or listed where they stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import DataError
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.maps import Maps, mean
from foldwise.predictions import Predictions, concatenate

LEVELS = np.random.default_rng(0).integers(0, 256, (5, 2, 4, 3), dtype=np.uint8)
NAMES = ["e", "b", "d", "a", "c"]


def made(names: list[str] = NAMES, **more: Any) -> Predictions:
    """Of maps that stand nowhere."""
    sizes = np.array([[4, 3]] * len(names))
    places = np.array([NAMES.index(name) for name in names])
    maps = Maps(sizes, 2, places, LEVELS.__getitem__)
    return Predictions(np.array(names, object), maps, ("x", "y"), kind="map", **more)


def assert_are_right(found: Predictions) -> None:
    for name, levels in zip(found.ids, found.scores, strict=True):
        np.testing.assert_array_equal(levels, LEVELS[NAMES.index(name)])


def test_maps_are_written_beside_the_table(tmp_path: Path) -> None:
    path = tmp_path / "oof.parquet"
    predictions_file.write(path, made(folds=np.arange(5)))
    found = predictions_file.read(path)
    assert (found.kind, found.columns, found.raw) == ("map", ("x", "y"), None)
    assert found.ids.tolist() == sorted(NAMES)
    assert found.folds is not None
    assert found.folds.tolist() == [NAMES.index(name) for name in sorted(NAMES)]
    assert_are_right(found)
    assert_are_right(found.align(["c", "a"], name="run"))
    assert (tmp_path / "oof.arrow").exists()


def test_maps_that_stand_below_the_table_are_not_written_again(tmp_path: Path) -> None:
    parts = []
    for number, names in enumerate((["d", "b"], ["a", "e", "c"])):
        place = tmp_path / "units" / f"{number}" / "valid.parquet"
        predictions_file.write(place, made(names, folds=np.full(len(names), number)))
        parts.append(predictions_file.read(place))
    predictions_file.write(tmp_path / "oof.parquet", concatenate(parts))
    assert not (tmp_path / "oof.arrow").exists()
    found = predictions_file.read(tmp_path / "oof.parquet")
    assert_are_right(found)
    assert found.folds is not None
    assert found.folds.tolist() == [1, 0, 1, 0, 1]
    elsewhere = tmp_path / "other" / "oof.parquet"
    predictions_file.write(elsewhere, found)
    assert_are_right(predictions_file.read(elsewhere))
    assert elsewhere.with_suffix(".arrow").exists()


def test_a_mean_of_maps_is_written(tmp_path: Path) -> None:
    one = made()
    both = replace(one, scores=mean([one.scores, one.scores]))
    predictions_file.write(tmp_path / "test.parquet", both)
    assert_are_right(predictions_file.read(tmp_path / "test.parquet"))


def test_gates_come_along(tmp_path: Path) -> None:
    one = made()
    gates = np.linspace(0, 1, 10).reshape(5, 2)
    predictions_file.write(
        tmp_path / "oof.parquet", replace(one, scores=replace(one.scores, gates=gates))
    )
    found = predictions_file.read(tmp_path / "oof.parquet")
    order = [NAMES.index(name) for name in sorted(NAMES)]
    np.testing.assert_array_equal(found.scores.gates, gates[order])
    np.testing.assert_array_equal(found.scores[np.array([1])].gates, gates[order][[1]])


def test_maps_that_have_changed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "oof.parquet"
    predictions_file.write(path, made())
    names, _ = read_maps(path.with_suffix(".arrow"))
    write_maps(path.with_suffix(".arrow"), 2, ((name, LEVELS[0]) for name in names))
    with pytest.raises(DataError, match="have changed since it was written"):
        predictions_file.read(path)
    path.with_suffix(".arrow").unlink()
    with pytest.raises(DataError, match="no such file"):
        predictions_file.read(path)
