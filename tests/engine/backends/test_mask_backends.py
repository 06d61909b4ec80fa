"""Backends of networks that give masks: every decoder gives what eager gives, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from foldwise.engine.backends import BACKENDS, TOLERANCE
from foldwise.engine.backends.checking import checked, logits, opened
from foldwise.engine.backends.making import Backend
from foldwise.models.decoders import DECODERS
from foldwise.models.mask_network import MaskNetwork
from foldwise.models.segmentation import build_masks
from tests.engine.backends.networks import images, skip_unless_there

#: All decoders by the one; the usual ones by the other, which reads the same model.
_PAIRS = [(decoder, "onnxruntime") for decoder in DECODERS]
_PAIRS += [(decoder, "openvino") for decoder in ("fpn", "unet")]


def trained(decoder: str, *, size: int = 64, num: int = 3) -> MaskNetwork:
    """Of statistics that are those of images, and logits that differ from pixel to pixel."""
    torch.manual_seed(0)
    network = build_masks(name="test_resnet", decoder=decoder, num_outputs=num, size=size)
    with torch.no_grad():
        for _ in range(10):
            network.train()(images(4, size=size))
    return network.eval()


@pytest.mark.parametrize(("decoder", "backend"), _PAIRS)
def test_every_decoder_is_converted_and_gives_the_same(decoder: str, backend: str) -> None:
    skip_unless_there(backend)
    network, inputs = trained(decoder), (images(2, size=64),)
    found = checked(network, backend, inputs, activate=expit)
    assert found.reason == ""
    assert found.difference is not None
    assert found.difference < TOLERANCE
    assert found.forward is not None
    assert found.forward(*inputs).shape == (2, 3, 64, 64)


def test_other_images_and_sides_that_are_filled_up_are_answered_alike() -> None:
    skip_unless_there("onnxruntime")
    network, told = trained("fpn"), []
    with opened(
        network, "onnxruntime", activate=lambda found: softmax(found, axis=1), tell=told.append
    ) as forward:
        for seed, size in ((1, 64), (2, 50)):
            others = images(2, size=size, seed=seed)
            away = np.abs(logits(forward, (others,)) - logits(network, (others,))).max()
            assert away < TOLERANCE
    assert told == []


def test_a_pass_that_differs_in_one_pixel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly(network: MaskNetwork, inputs: object, half: object) -> object:
        def forward(*given: torch.Tensor) -> torch.Tensor:
            found = network(*given).clone()
            found[0, 0, 3, 3] += 0.01
            return found

        return forward

    monkeypatch.setitem(BACKENDS, "nearly", Backend(nearly))  # type: ignore[arg-type]  # A stand-in.
    network, inputs = trained("fpn"), (images(2, size=64),)
    found = checked(network, "nearly", inputs, activate=expit)
    assert found.forward is None
    assert "differs from eager" in found.reason
