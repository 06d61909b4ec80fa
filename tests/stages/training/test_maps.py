"""Units of masks: trained, killed and gone on with, scored into maps as large as the images."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foldwise import predictions as predictions_file
from foldwise.errors import DataError
from foldwise.masks.runs import decode
from foldwise.stages.prepare import prepare
from foldwise.stages.scheduling.forecast import run_seconds
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.scheduling.unit_forecast import unit_forecast
from foldwise.stages.training.starting import feature_jobs
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units
from tests.stages.small_units import rescore, work, work_and_die

DECODED = {
    **SMALL_MASKS,
    "model": {"name": "test_resnet", "decoder": "fpn", "presence": {"weight": 0.1}},
    "train": {**SMALL_MASKS["train"], "epochs": 1},
}
#: Until dots and bars are known by their colours.
LONGER = {**SMALL_MASKS["train"], "epochs": 12, "batch": 4, "lr": 5e-2}
EXCLUSIVE = {
    **SMALL_MASKS,
    "formulation": "softmax",
    "loss": ["mask_cross_entropy", {"name": "mask_dice", "weight": 0.5}],
}


def with_train(**train: Any) -> dict[str, Any]:
    return {**SMALL_MASKS, "train": {**SMALL_MASKS["train"], **train}}


def files(unit: Unit) -> dict[str, bytes]:
    folder = unit.folder
    kept = [folder.weights, folder.history, folder.valid, folder.test]
    kept += [path.with_suffix(".arrow") for path in (folder.valid, folder.test)]
    return {path.name: path.read_bytes() for path in kept}


def history(unit: Unit) -> list[dict[str, str]]:
    with unit.folder.history.open() as file:
        return list(csv.DictReader(file))


def test_from_tables_to_maps_of_held_out_and_test_rows(tmp_path: Path) -> None:
    units = masks_units(masks_ready(tmp_path, DECODED))
    assert [unit.fold for unit in units] == [0, 1]
    for unit in units:
        assert work(unit) == ""
        assert unit.is_done()
        assert unit.is_scored()
        train, test = unit.problem.train, unit.problem.test
        for path, samples in (
            (unit.folder.valid, train.take(unit.valid_rows)),
            (unit.folder.test, test),
        ):
            found = predictions_file.read(path).align(samples.ids, name="test")
            assert found.kind == "map"
            assert found.columns == ("dot", "bar")
            assert np.array_equal(found.scores.sizes, samples.frame[["height", "width"]])
            shapes = [levels.shape for levels in found.scores]
            assert shapes == [(2, *size) for size in found.scores.sizes.tolist()]
        assert set(predictions_file.read(unit.folder.valid).folds.tolist()) == {unit.fold}
        (row,) = history(unit)
        assert float(row["train_presence"]) > 0
        assert float(row["valid_loss"]) > 0
        assert 0 <= float(row["valid_score"]) <= 1


@pytest.mark.parametrize("exclusive", [False, True])
def test_maps_lie_over_the_masks_that_they_were_learned_from(
    tmp_path: Path, exclusive: bool
) -> None:
    recipe = EXCLUSIVE if exclusive else SMALL_MASKS
    recipe = {**recipe, "train": LONGER}
    unit = masks_units(masks_ready(tmp_path, recipe, exclusive=exclusive))[0]
    work(unit)
    valid = predictions_file.read(unit.folder.valid)
    rows = pd.Index(unit.problem.train.ids).get_indexer(valid.ids)
    truths = decode(unit.problem.target[rows].runs)
    num = len(valid.columns)
    hit, miss = [], []
    for row, levels in enumerate(valid.scores):
        for number in range(num - 2, num):
            truth = truths[row * num + number] == 1
            hit += levels[number][truth].tolist()
            miss += levels[number][~truth].tolist()
    # Of the last epoch, at the network's own size.
    assert float(history(unit)[-1]["valid_score"]) > 0.8
    # Their edges are as blurred as a network at 32 px sees them.
    assert np.mean(np.array(hit) > 127) > 0.85
    assert np.mean(np.array(miss) > 127) < 0.03


@pytest.mark.parametrize(
    "train", [{}, {"sampler": "hard_negatives", "checkpoint": {"every": "1s", "share": 1.0}}]
)
def test_a_killed_unit_goes_on_to_the_same_bytes(tmp_path: Path, train: dict[str, Any]) -> None:
    recipe = with_train(**train)
    whole = masks_units(masks_ready(tmp_path / "whole", recipe))[0]
    work(whole)
    torn = masks_units(masks_ready(tmp_path / "torn", recipe))[0]
    work_and_die(torn, lambda state: state.epoch == 1)
    work(torn)
    assert files(torn) == files(whole)


def test_a_unit_killed_while_its_maps_are_written_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def torn(*args: Any) -> None:
        raise KilledError

    unit = masks_units(masks_ready(tmp_path))[0]
    with monkeypatch.context() as patch:
        patch.setattr(predictions_file, "write", torn)
        with pytest.raises(KilledError):
            work(unit)
    assert unit.folder.valid.with_suffix(".arrow").exists()
    assert not unit.is_done()
    work(unit)
    other = masks_units(masks_ready(tmp_path / "other"))[0]
    work(other)
    assert files(unit) == files(other)


def test_new_test_rows_are_scored_as_training_would_have(tmp_path: Path) -> None:
    home = masks_ready(tmp_path, num_test=6)
    table = tmp_path / "raw" / "test.csv"
    every = pd.read_csv(table)
    every[:2].to_csv(table, index=False)
    prepare(home)
    few = masks_units(home)[0]
    work(few)
    assert len(predictions_file.read(few.folder.test)) == 2
    every.to_csv(table, index=False)
    prepare(home)
    unit = masks_units(home)[0]
    assert unit.is_done()
    assert not unit.is_scored()
    rescore(unit)
    other = masks_units(masks_ready(tmp_path / "other", num_test=6))[0]
    work(other)
    assert files(unit) == files(other)


@pytest.mark.parametrize(
    "input",
    [
        {"size": 16, "zoom": 2.0},
        {"size": 16, "fit": "native"},
        {"size": 16, "fit": "native", "tile": {"size": 32, "overlap": 0.3}},
    ],
)
def test_windows_are_scored_at_the_scale_they_were_cut_at(
    tmp_path: Path, input: dict[str, Any]
) -> None:
    recipe = {
        **SMALL_MASKS,
        "input": input,
        "augment": [{"name": "mask_crop", "near": 0.8}],
        "train": LONGER,
    }
    unit = masks_units(masks_ready(tmp_path, recipe))[0]
    work(unit)
    valid = predictions_file.read(unit.folder.valid)
    rows = pd.Index(unit.problem.train.ids).get_indexer(valid.ids)
    dots = decode(unit.problem.target[rows].runs)[::2]
    found = [levels[0][dot == 1] for levels, dot in zip(valid.scores, dots, strict=True)]
    assert np.mean(np.concatenate(found) > 127) > 0.85


def test_no_features_are_made_for_a_head_that_masks_have_not(tmp_path: Path) -> None:
    """A pretrained network of classes has one image after the other passed before it trains."""
    model = {**DECODED["model"], "pretrained": "weights.safetensors"}
    units = masks_units(masks_ready(tmp_path, {**DECODED, "model": model}))
    assert units[0].recipe.train.head_start
    assert feature_jobs(units, None) == []
    rates = Rates(0.0, 10.0, {"all@32": 10.0})
    each = unit_forecast(units[0], rates, 1).seconds
    assert run_seconds(units, rates, 1, parallel=2) == pytest.approx(each)


def test_other_masks_make_another_unit(tmp_path: Path) -> None:
    home = masks_ready(tmp_path)
    work(unit := masks_units(home)[0])
    table = tmp_path / "raw" / "train.csv"
    frame = pd.read_csv(table, keep_default_na=False)
    frame.loc[frame["kind"] == "dot", "rle"] = "1 5"
    frame.to_csv(table, index=False)
    prepare(home)
    assert unit.is_done()
    assert not masks_units(home)[0].is_done()


def test_where_masks_begin_is_known_of_units_with_a_decoder_alone(tmp_path: Path) -> None:
    def made_of(name: str, **changes: Any) -> dict[str, Any]:
        return masks_units(masks_ready(tmp_path / name, {**SMALL_MASKS, **changes}))[0].inputs

    decoded = {"model": {"name": "test_resnet", "decoder": "unet"}}
    assert "first_logits" in made_of("decoded", **decoded)
    assert "first_logits" not in made_of("own")


def test_maps_that_were_changed_are_not_taken_for_the_units_own(tmp_path: Path) -> None:
    first, second = masks_units(masks_ready(tmp_path))
    work(first), work(second)
    maps = first.folder.valid.with_suffix(".arrow")
    maps.write_bytes(second.folder.valid.with_suffix(".arrow").read_bytes())
    with pytest.raises(DataError, match="changed since it was written"):
        predictions_file.read(first.folder.valid)


def test_memory_that_runs_out_in_scoring_is_noted_and_kept_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foldwise.models.mask_network import MaskNetwork

    unit = masks_units(masks_ready(tmp_path))[0]
    forward = MaskNetwork.forward

    def small(self: MaskNetwork, images: Any, columns: Any = None) -> Any:
        if not self.training and len(images) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(self, images, columns)

    with monkeypatch.context() as patch:
        patch.setattr(MaskNetwork, "forward", small)
        assert "4 images are scored at a time" in work(unit)
    found = predictions_file.read(unit.folder.valid)
    assert len(found) == len(unit.valid_rows)
    assert open_problem(unit.problem.home).num_classes == 2
