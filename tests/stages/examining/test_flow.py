"""How the gradient reaches a network's blocks, against hand-worked norms."""

import pytest
import torch
from torch import nn

from foldwise.models.building import build
from foldwise.models.freezing import set_trainable
from foldwise.models.network import Network
from foldwise.stages.examining.flow import FlowMeter


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.unused, self.second = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(images))


def two() -> Network:
    network = Network(Two(), nn.Linear(2, 1), mean=(0.0,), std=(1.0,))
    for weight in network.parameters():
        nn.init.ones_(weight)
    return network


def test_the_ratio_is_that_of_the_norms_and_the_largest_of_the_steps():
    network = two()
    meter = FlowMeter(network)
    for size in (0.5, 3.0, 1.0):
        for name, weight in network.named_parameters():
            weight.grad = None if "unused" in name else torch.full_like(weight, size)
        network.backbone.first.weight.grad[:] *= 2.0
        meter.take()
    flow = {block.name: block.relative for block in meter.flow()}
    assert list(flow) == ["first", "unused", "second", "head"]
    # Of six weights that are 1: four gradients of 6 and two of 3.
    assert flow["first"] == pytest.approx(((4 * 36 + 2 * 9) / 6) ** 0.5)
    assert [flow["second"], flow["head"]] == pytest.approx([3.0, 3.0])
    assert flow["unused"] == 0.0


def test_only_the_first_steps_count_and_only_what_trains():
    network = two()
    set_trainable(network, "head")
    meter = FlowMeter(network)
    for size in [1.0] * 8 + [100.0]:
        for weight in network.head.parameters():
            weight.grad = torch.full_like(weight, size)
        meter.take()
    assert [(block.name, block.relative) for block in meter.flow()] == [("head", pytest.approx(1))]


def test_weights_of_a_whole_block_are_named_as_one():
    meter = FlowMeter(two())
    weights = {"backbone.unused.weight", "backbone.unused.bias", "backbone.second.bias"}
    assert meter.gathered(weights) == ["all of unused", "backbone.second.bias"]


@pytest.mark.parametrize("name", ["resnet18", "small_resnet"])
def test_blocks_of_networks_are_in_their_order(name: str):
    meter = FlowMeter(network := build(name=name, num_outputs=3, size=32))
    network(torch.zeros(2, 3, 32, 32)).sum().backward()
    meter.take()
    names = [block.name for block in meter.flow()]
    assert names[-1] == "head"
    assert len(names) == len(set(names)) > 4
