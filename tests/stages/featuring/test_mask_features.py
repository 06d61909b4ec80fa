"""Features of runs of masks: means of the encoder's last map, of images as they are scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from foldwise.data.batches import eval_batches
from foldwise.data.own_size import own_pixels
from foldwise.data.tiles import tile_boxes
from foldwise.engine.assemble import Assembly
from foldwise.errors import RunError
from foldwise.models.mask_network import MaskNetwork
from foldwise.stages.featuring.files import is_written, num_bytes, num_features, read
from foldwise.stages.featuring.jobs import write_features
from foldwise.stages.training.unit import Unit
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units
from tests.stages.small_units import work

RECIPE: dict[str, Any] = {
    **SMALL_MASKS,
    "model": {"name": "test_resnet", "decoder": "fpn"},
    "train": {**SMALL_MASKS["train"], "epochs": 1},
}
TILED = {
    **RECIPE,
    "input": {"size": 32, "fit": "native", "tile": {"size": 32, "overlap": 0.25}},
    "augment": ["mask_crop"],
}


def written(folder: Path, recipe: dict[str, Any]) -> tuple[Unit, MaskNetwork]:
    unit = masks_units(masks_ready(folder, recipe, num_train=16))[0]
    work(unit)
    home, run = str(unit.problem.home.path), str(unit.run.path)
    assert write_features(home, run, unit.fold, 0, 1, str(folder / "timing")) == ""
    assert write_features(home, run, unit.fold, 0, 1, str(folder / "timing")) == "already there"
    network = Assembly(unit.problem, unit.recipe).trained_network(load_file(unit.folder.weights))
    assert isinstance(network, MaskNetwork)
    return unit, network.eval()


@pytest.mark.parametrize("cropped", [False, True])
def test_images_are_seen_as_large_as_they_are_scored(tmp_path: Path, cropped: bool) -> None:
    crop = {"input": {"size": 32, "zoom": 2.0}, "augment": ["mask_crop"]} if cropped else {}
    unit, network = written(tmp_path, {**RECIPE, **crop})
    assert is_written(unit)
    found = read(unit)
    source = Assembly(unit.problem, unit.recipe).feed.scored(unit.problem.test)
    (batch,) = eval_batches(source, batch=len(source), workers=0)
    assert batch.images.shape[2:] == ((64, 64) if cropped else (32, 32))
    with torch.inference_mode():
        wanted = network.features(batch.images)
    assert found.test == pytest.approx(wanted.numpy(), rel=1e-4, abs=1e-5)
    assert found.train.shape == (16, wanted.shape[1])


def test_an_image_in_tiles_is_the_mean_of_what_is_seen_in_each(tmp_path: Path) -> None:
    unit, network = written(tmp_path, TILED)
    source = Assembly(unit.problem, unit.recipe).feed.scored(unit.problem.test)
    for row, found in enumerate(read(unit).test):
        (pixels,) = own_pixels(source, row)
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
        boxes = tile_boxes(image.shape[2], image.shape[3], (32, 32), 0.25)
        tiles = [
            image[:, :, box.top : box.top + box.height, box.left : box.left + box.width]
            for box in boxes
        ]
        with torch.inference_mode():
            wanted = torch.cat([network.features(tile) for tile in tiles]).mean(dim=0)
        assert found == pytest.approx(wanted.numpy(), rel=1e-4, abs=1e-5)


def test_their_size_is_known_from_the_weights(tmp_path: Path) -> None:
    unit, network = written(tmp_path, {**RECIPE, "model": {
        "name": "test_resnet", "decoder": "fpn", "presence": {"weight": 0.1}
    }})  # fmt: skip
    exact = read(unit).train.shape[1]
    assert num_features(unit) == exact
    assert num_bytes(unit) == 4 * exact * (16 + len(unit.problem.test))
    plain, _ = written(tmp_path / "plain", RECIPE)
    assert exact <= num_features(plain) <= 4 * exact
    assert np.isfinite(read(plain).train).all()
    assert network.decoder is not None


def test_a_network_in_one_piece_has_none_and_says_what_would_do(tmp_path: Path) -> None:
    unit = masks_units(masks_ready(tmp_path, num_train=16))[0]
    work(unit)
    with pytest.raises(RunError, match=r"(?s)a has no features.*of masks a decoder on an encoder"):
        num_features(unit)
