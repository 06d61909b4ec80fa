"""The way to the worst point nearby: worked by hand, found by search, put back to the bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.optim.sharpness import SHARPNESS, asam, at_sharpest, sam


def test_sam_goes_rho_up_the_gradient_of_all_weights_together() -> None:
    gradients = [Tensor([[2.0, 4.0]]), Tensor([4.0])]  # of length 6
    steps = sam([torch.zeros(1, 2), torch.zeros(1)], gradients, rho=0.3)
    torch.testing.assert_close(steps, [Tensor([[0.1, 0.2]]), Tensor([0.2])])


def test_asam_weighs_by_the_size_of_the_weights_and_leaves_biases_as_they_are() -> None:
    weights = [Tensor([[1.0, -2.0]]), Tensor([9.0])]
    gradients = [Tensor([[2.0, 0.5]]), Tensor([2.0])]
    # T = (1, 2) and 1; T g = (2, 1) and 2, of length 3; T² g = (2, 2) and 2.
    steps = asam(weights, gradients, rho=0.3, eta=0.0)
    torch.testing.assert_close(steps, [Tensor([[0.2, 0.2]]), Tensor([0.2])])


def test_asam_moves_weights_at_zero_by_eta() -> None:
    # T = 0.5; the only weight is at zero.
    (step,) = asam([Tensor([[0.0]])], [Tensor([[-3.0]])], rho=0.2, eta=0.5)
    torch.testing.assert_close(step, Tensor([[-0.1]]))


def test_asam_finds_the_same_point_when_layers_are_rescaled() -> None:
    weight, gradient = torch.randn(2, 4, 3, generator=torch.manual_seed(0)).unbind()
    scale = 10.0  # f(w) = g(w / scale) has gradients smaller by the scale.
    plain = asam([weight], [gradient], rho=0.5, eta=0.0)[0]
    rescaled = asam([weight * scale], [gradient / scale], rho=0.5, eta=0.0)[0]
    torch.testing.assert_close(rescaled, plain * scale)
    (absolute,) = sam([weight * scale], [gradient / scale], rho=0.5)
    torch.testing.assert_close(absolute, sam([weight], [gradient], rho=0.5)[0])


@pytest.mark.parametrize("name", SHARPNESS)
def test_no_direction_nearby_is_steeper(name: str) -> None:
    """First-order worst case: the step maximises g·e where the measure of e is at most rho."""
    rng = torch.manual_seed(1)
    weight, gradient = torch.randn(2, 5, 4, generator=rng).unbind()
    step = SHARPNESS[name]([weight], [gradient], rho=0.7)[0]
    size = weight.abs() + 0.01 if name == "asam" else torch.ones_like(weight)
    assert (step / size).norm() == pytest.approx(0.7, rel=1e-5)
    others = torch.randn(2000, 5, 4, generator=rng)
    others = others * size * 0.7 / others.flatten(1).norm(dim=1)[:, None, None]
    assert (others * gradient).sum(dim=(1, 2)).max() < (step * gradient).sum()


@pytest.mark.parametrize("name", SHARPNESS)
def test_a_gradient_of_zeros_stays_where_it_is(name: str) -> None:
    (step,) = SHARPNESS[name]([torch.ones(2, 2)], [torch.zeros(2, 2)])
    assert torch.equal(step, torch.zeros(2, 2))


def test_weights_and_statistics_are_put_back_to_the_bit_also_after_an_error() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    network[0].requires_grad_(False)
    images = torch.randn(6, 3)
    network(images).square().mean().backward()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    moved: set[str] = set()

    def fail() -> None:
        with at_sharpest(network, sam):
            assert all(p.grad is None for p in network.parameters())
            network(images)
            moved.update(
                k for k, v in network.state_dict().items() if not torch.equal(v, before[k])
            )
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    assert {"2.weight", "1.running_mean"} <= moved
    assert not {"0.weight", "0.bias"} & moved
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sma", "sharpness 'sma' is unknown; did you mean 'sam'"),
        ("gradient", "known: asam, sam"),
        ({"name": "sam", "eta": 0.1}, "unknown option 'eta'; it takes rho"),
        ({"name": "asam", "rho": 0}, "rho: Input should be greater than 0"),
    ],
)
def test_mistakes_are_named(spec: parts.Spec, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parts.bind(SHARPNESS, spec, what="sharpness")
    assert message in " ".join((*caught.value.problems, caught.value.remedy))
