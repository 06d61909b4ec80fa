"""Packaged weights on real photos: a wrong pairing or normalisation would cost accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from foldwise.models.building import build
from foldwise.models.linear_head import solve_head
from foldwise.models.packages import available_packages
from foldwise.models.weights import resolve

_DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "animals-tail"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not _DATA.is_dir(), reason="the data sets are not beside the checkout")
@pytest.mark.parametrize(("package", "name"), available_packages())
def test_frozen_features_of_a_package_tell_animals_apart(
    package: str, name: str, tmp_path: Path
) -> None:
    table = pd.read_csv(_DATA / "train.csv")
    images = torch.stack([_image(_DATA / path) for path in table["path"]])
    target = table["target"].to_numpy()
    spec = f"package:{package}"
    weights = resolve(spec, name=name, rules_pretrained="allowed", cache=tmp_path)
    network = build(name=name, num_outputs=14, size=224, weights=weights).eval()
    with torch.inference_mode():
        features = torch.cat([network.features(part) for part in images.split(32)]).numpy()
    correct = np.zeros(len(target), dtype=bool)
    for fold in range(4):
        held = np.arange(len(target)) % 4 == fold
        head = solve_head(features[~held], target[~held], "softmax", num_outputs=14)
        correct[held] = (features[held] @ head.weight.T + head.bias).argmax(1) == target[held]
    print(f"{name}: accuracy {correct.mean():.3f} on {len(target)} photos, 4 folds")
    assert correct.mean() >= 0.88


def _image(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)
