"""Trained weights on photos: backends are within the tolerance, and bfloat16 is not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foldwise.engine.backends import TOLERANCE
from foldwise.engine.backends.checking import checked
from foldwise.models.building import build
from foldwise.models.network import Network
from foldwise.models.packages import available_packages
from foldwise.models.weights import resolve
from tests.engine.backends.networks import skip_unless_there, softmax

PHOTOS = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "animals-tail" / "images"
NAME = "tf_efficientnet_lite0"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PHOTOS.is_dir(), reason="the data sets are not beside the checkout"),
]


@pytest.fixture(scope="module")
def pictured(tmp_path_factory) -> tuple[Network, tuple[torch.Tensor]]:
    """A network trained on ImageNet, and eight photos as `infer` gives them."""
    packages = {name: package for package, name in available_packages()}
    if NAME not in packages:
        pytest.skip(f"no package has {NAME}")
    weights = resolve(
        f"package:{packages[NAME]}",
        name=NAME,
        rules_pretrained="allowed",
        cache=tmp_path_factory.mktemp("weights"),
    )
    network = build(name=NAME, num_outputs=1000, size=224, weights=weights)
    files = sorted(PHOTOS.glob("*.jpg"))[:8]
    pixels = [np.asarray(Image.open(file).convert("RGB").resize((224, 224))) for file in files]
    return network.eval(), (torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2),)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_photos_are_seen_alike(backend, pictured):
    skip_unless_there(backend)
    network, inputs = pictured
    found = checked(network, backend, inputs, activate=softmax)
    assert found.reason == ""
    assert 0 < (found.difference or 0) < TOLERANCE / 5


def test_half_precision_differs_by_more_than_any_backend(pictured):
    network, inputs = pictured
    found = checked(network, "eager", inputs, activate=softmax, half=torch.bfloat16)
    assert (found.difference or 0) > 10 * TOLERANCE
