from typing import get_args

import pytest
import torch

from foldwise.engine.layout import layout_seconds
from foldwise.models.building import build
from foldwise.models.network import Layout

CPU = torch.device("cpu")


def images() -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, 32, 32), generator=torch.manual_seed(3)).byte()


@pytest.mark.parametrize("name", ["small_cnn", "resnet18", "test_vit"])
def test_both_layouts_give_the_same_logits_and_gradients(name):
    torch.manual_seed(0)
    size = 160 if name == "test_vit" else 32
    network = build(name=name, num_outputs=3, size=size).eval()
    pixels = torch.randint(0, 256, (2, 3, size, size), generator=torch.manual_seed(3)).byte()
    found = {}
    for layout in get_args(Layout):
        network.set_layout(layout)
        network.zero_grad()
        logits = network(pixels)
        logits.square().sum().backward()
        grads = [parameter.grad for parameter in network.parameters()]
        found[layout] = [logits.detach(), *(grad.clone() for grad in grads if grad is not None)]
    for first, last in zip(*found.values(), strict=True):
        torch.testing.assert_close(first, last, rtol=1e-3, atol=1e-3)


def test_weights_and_images_lie_as_told():
    network = build(name="small_cnn", num_outputs=3, size=32)
    convolution = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    assert network.layout == "channels_last"
    assert network.normalize(images()).is_contiguous(memory_format=torch.channels_last)
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    network.set_layout("channels_first")
    assert network.normalize(images()).is_contiguous()
    assert convolution.weight.is_contiguous()


def test_a_trial_times_each_layout_and_changes_nothing():
    network = build(name="small_cnn", num_outputs=3, size=32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = layout_seconds(network, images(), trainable="head", device=CPU)
    assert set(found) == set(get_args(Layout))
    assert all(seconds > 0 for seconds in found.values())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
