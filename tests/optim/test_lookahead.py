"""Slow weights against timm's wrapper and sums by hand; stopping and going on."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from timm.optim import Lookahead as TimmLookahead
from torch import nn

from foldwise.optim.lookahead import Lookahead


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def _loss(network: nn.Module, step: int) -> torch.Tensor:
    images = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
    return network(images).square().mean()


def _sgd(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=0.3, momentum=0.9)


def _go(
    network: nn.Module, optimizer: torch.optim.Optimizer, slow: Lookahead, steps: range
) -> None:
    for step in steps:
        optimizer.zero_grad()
        _loss(network, step).backward()
        optimizer.step()
        slow.update(network)


def test_one_weight_goes_forward_and_back() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1.0)
        slow = Lookahead(network, k=2, alpha=0.25)
        found = []
        for _ in range(4):
            network.weight.add_(1.0)
            slow.update(network)
            found.append(float(network.weight))
    assert found == [2.0, 1.5, 2.5, 2.0]  # 1 + (3 - 1) / 4, then 1.5 + (3.5 - 1.5) / 4


def test_it_moves_as_timms_wrapper_does() -> None:
    network, other = _network(), _network()
    slow, optimizer = Lookahead(network, k=3, alpha=0.4), _sgd(network)
    theirs = TimmLookahead(_sgd(other), alpha=0.4, k=3)
    for parameter in other.parameters():  # timm's slow weights would start after k steps.
        theirs._base_optimizer.state[parameter]["lookahead_slow_buff"] = parameter.detach().clone()
    for step in range(10):
        _go(network, optimizer, slow, range(step, step + 1))
        theirs.zero_grad()
        _loss(other, step).backward()
        theirs.step()
        for mine, their in zip(network.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(mine, their)
    slow.sync(network)
    theirs.sync_lookahead()
    for mine, their in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, their)


def test_what_stands_still_stays_where_it_is_and_the_count_begins_anew() -> None:
    network = _network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    slow = Lookahead(network, k=3, alpha=0.3)
    slow.update(network)
    slow.sync(network)
    assert slow.count == 0
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("stop_after", [4, 5, 6])
def test_going_on_from_a_saved_state_gives_the_same_bits(stop_after: int, tmp_path: Path) -> None:
    network = _network()
    optimizer, slow = _sgd(network), Lookahead(network, k=3, alpha=0.5)
    _go(network, optimizer, slow, range(stop_after))
    save_file(slow.state(), tmp_path / "state.safetensors")
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    momentum = deepcopy(optimizer.state_dict())
    _go(network, optimizer, slow, range(stop_after, 11))

    other = _network()
    again, resumed = Lookahead(other, k=3, alpha=0.5), _sgd(other)
    other.load_state_dict(kept)
    resumed.load_state_dict(momentum)
    again.load(load_file(tmp_path / "state.safetensors"))
    _go(other, resumed, again, range(stop_after, 11))
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
