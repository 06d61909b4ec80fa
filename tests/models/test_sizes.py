"""Which networks can be trained at several sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.building import build
from foldwise.models.network import Network
from foldwise.models.sizes import check_sizes


@pytest.mark.parametrize("name", ["small_cnn", "test_efficientnet"])
def test_a_convolutional_network_takes_other_sizes_and_is_left_as_it_is(name: str) -> None:
    network = build(name=name, num_outputs=3, size=64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    check_sizes(network, {48, 32})
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes


def test_a_vision_transformer_takes_them_only_if_asked_to() -> None:
    options = {"dynamic_img_size": True}
    check_sizes(build(name="test_vit", num_outputs=3, size=160, options=options), {96})
    fixed = build(name="test_vit", num_outputs=3, size=160, options={"dynamic_img_size": False})
    with pytest.raises(ConfigError, match="cannot be trained at 96 px") as caught:
        check_sizes(fixed, {96})
    assert "dynamic_img_size: true" in caught.value.remedy


def test_a_network_that_counts_pixels_takes_one_size() -> None:
    own = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
    network = Network(own, None, mean=(0.5,) * 3, std=(0.2,) * 3)
    check_sizes(network, {16})
    with pytest.raises(ConfigError, match="cannot be trained at 8 px"):
        check_sizes(network, {8, 16})
