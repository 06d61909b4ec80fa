"""Batch norm that a single value does not stop."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from foldwise.models.decoders import DECODERS
from foldwise.models.freezing import train_mode
from foldwise.models.lone_norms import LoneBatchNorm2d, lone_norms
from foldwise.models.mask_network import MaskNetwork
from foldwise.models.segmentation import build_masks


def made(decoder: str) -> MaskNetwork:
    torch.manual_seed(0)
    return build_masks(name="test_resnet", decoder=decoder, num_outputs=2, size=64)


def images(num: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (num, 3, 64, 64), generator=generator, dtype=torch.uint8)


def norms() -> tuple[nn.BatchNorm2d, LoneBatchNorm2d]:
    """Of equal weights and statistics, none of them those they start with."""
    plain = nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)
    for tensor in plain.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 2.0)
    return plain, LoneBatchNorm2d.of(plain)


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (1, 3, 2, 1), (4, 3, 5, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_several_values_are_normalised_as_torch_does_it(
    shape: tuple[int, ...], training: bool
) -> None:
    plain, lone = norms()
    values = torch.randn(shape)
    assert torch.equal(lone.train(training)(values), plain.train(training)(values))
    for one, other in zip(plain.state_dict().values(), lone.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_single_value_is_taken_by_the_running_statistics_and_leaves_them() -> None:
    plain, lone = norms()
    value = torch.randn(1, 3, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        plain.train()(value)
    before = {name: each.clone() for name, each in lone.state_dict().items()}
    assert torch.equal(lone.train()(value), plain.eval()(value))
    assert all(torch.equal(before[name], each) for name, each in lone.state_dict().items())


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_trains_on_one_image_and_learns_from_it(decoder: str) -> None:
    network = made(decoder)
    train_mode(network)
    logits = network(images(1))
    assert torch.isfinite(logits).all()
    logits.square().mean().backward()
    grads = [p.grad for p in network.decoder.parameters()]  # type: ignore[union-attr]  # It has one.
    assert sum(grad is not None and bool(grad.any()) for grad in grads) > len(grads) / 2


def test_those_that_look_at_whole_images_are_the_ones_that_were_refused() -> None:
    refused = set()
    for decoder, kind in (
        ("deeplabv3plus", smp.DeepLabV3Plus),
        ("pan", smp.PAN),
        ("upernet", smp.UPerNet),
        ("fpn", smp.FPN),
    ):
        network = kind("tu-test_resnet", encoder_weights=None, classes=2).train()
        try:
            network(torch.randn(1, 3, 128, 128))
        except ValueError:
            refused.add(decoder)
    assert refused == {"deeplabv3plus", "pan", "upernet"}


def test_layers_are_replaced_wherever_they_stand_and_others_stay() -> None:
    module = nn.Sequential(
        nn.BatchNorm2d(2), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)), nn.GroupNorm(1, 2)
    )
    names = list(module.state_dict())
    lone_norms(module)
    kinds = [type(each).__name__ for each in module.modules() if not list(each.children())]
    assert kinds == ["LoneBatchNorm2d", "ReLU", "LoneBatchNorm2d", "GroupNorm"]
    assert list(module.state_dict()) == names
