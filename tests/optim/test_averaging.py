"""Averages of weights against sums worked out beside them; stopping and going on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from foldwise.optim.averaging import Ema, WeightMean


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def _walk(network: nn.Module, step: int) -> None:
    """Change all weights and statistics, by the step alone."""
    rng = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng))
    network.train()(torch.randn(5, 3, generator=rng))


def test_ema_follows_its_formula_with_warm_up() -> None:
    network = _network()
    ema = Ema(network, decay=0.5)
    expected = network[0].weight.detach().clone()
    for step in range(20):
        _walk(network, step)
        ema.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network[0].weight.detach()
    torch.testing.assert_close(ema.weights()["0.weight"], expected)


def test_ema_averages_batch_statistics_and_takes_counters_over() -> None:
    network = _network()
    ema = Ema(network, decay=0.999)
    for step in range(3):
        _walk(network, step)
        ema.update(network)
    averaged, last = ema.weights(), network.state_dict()
    assert averaged["1.num_batches_tracked"] == last["1.num_batches_tracked"] == 3
    assert not torch.equal(averaged["1.running_mean"], last["1.running_mean"])


def test_weights_that_stand_still_are_their_own_average() -> None:
    network = _network().eval()
    ema, mean = Ema(network, decay=0.9), WeightMean(network, last=5)
    for epoch in range(5):
        ema.update(network)
        mean.update(network, epoch, 5)
    for name, value in network.state_dict().items():
        assert torch.equal(ema.weights()[name], value)
        assert torch.equal(mean.weights()[name], value)


def test_the_mean_is_over_the_last_epochs_only() -> None:
    network = _network()
    mean = WeightMean(network, last=3)
    seen = []
    for epoch in range(7):
        _walk(network, epoch)
        mean.update(network, epoch, 7)
        seen.append(network[0].weight.detach().clone())
        assert mean.count == max(0, epoch - 3)
    torch.testing.assert_close(mean.weights()["0.weight"], torch.stack(seen[-3:]).mean(dim=0))


@pytest.mark.parametrize(("num_epochs", "last"), [(16, 4), (8, 2), (4, 1), (1, 1), (20, 4)])
def test_of_a_shorter_schedule_the_same_share_is_averaged(num_epochs: int, last: int) -> None:
    network = _network()
    mean = WeightMean(network, last=4, of=16)
    for epoch in range(num_epochs):
        mean.update(network, epoch, num_epochs)
    assert mean.count == last


def test_the_average_loads_into_the_network() -> None:
    network = _network()
    ema = Ema(network, decay=0.9)
    _walk(network, 0)
    ema.update(network)
    network.load_state_dict(ema.weights())
    torch.testing.assert_close(network[0].weight.detach(), ema.weights()["0.weight"])


@pytest.mark.parametrize("kind", ["ema", "mean"])
def test_going_on_from_a_saved_state_gives_the_same_bits(kind: str, tmp_path: Path) -> None:
    def start(network: nn.Module) -> Ema | WeightMean:
        return Ema(network, 0.9) if kind == "ema" else WeightMean(network, last=6)

    def go(average: Ema | WeightMean, network: nn.Module, epochs: range) -> None:
        for epoch in epochs:
            _walk(network, epoch)
            if isinstance(average, Ema):
                average.update(network)
            else:
                average.update(network, epoch, 8)

    network = _network()
    whole = start(network)
    go(whole, network, range(8))

    network = _network()
    first = start(network)
    go(first, network, range(5))
    save_file(first.state(), tmp_path / "state.safetensors")
    second = start(_network())
    second.load(load_file(tmp_path / "state.safetensors"))
    go(second, network, range(5, 8))

    assert second.count == whole.count
    for name, value in whole.weights().items():
        assert torch.equal(value, second.weights()[name]), name
