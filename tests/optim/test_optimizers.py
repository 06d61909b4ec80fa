"""Every optimiser that can be built here steps, leaves frozen weights alone, and says no well."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.freezing import set_trainable
from foldwise.models.network import Layout, Network
from foldwise.optim.optimizers import build_optimizer, optimizers


def _network() -> Network:
    torch.manual_seed(0)
    return build(
        name="small_cnn", num_outputs=3, channels=1, size=8, options={"widths": (8, 8)}
    ).train()


def _step(network: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (6, 1, 8, 8), generator=rng, dtype=torch.uint8)
    loss = nn.functional.cross_entropy(network(images), torch.tensor([0, 1, 2, 0, 1, 2]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", optimizers())
def test_every_optimizer_moves_what_trains_and_nothing_else(name: str) -> None:
    network = _network()
    optimizer = build_optimizer(network, name=name, lr=0.01, weight_decay=0.1)
    set_trainable(network, "head")
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    for _ in range(2):
        loss = _step(network, optimizer)
    assert loss < 10.0
    moved = {k for k, v in network.named_parameters() if not torch.equal(v.detach(), before[k])}
    assert moved == {"head.weight", "head.bias"}
    assert all(value.isfinite().all() for value in network.parameters())
    # What a checkpoint can hold.
    kinds = torch.Tensor | bool | int | float | str | None
    for index, slots in optimizer.state_dict()["state"].items():
        assert isinstance(index, int)
        assert all(isinstance(value, kinds) for value in slots.values())


@pytest.mark.parametrize("name", ["adamw", "radam", "sgd", "lion", "muon"])
def test_the_common_optimizers_lower_the_loss(name: str) -> None:
    network = _network()
    optimizer = build_optimizer(network, name=name, lr=0.01, weight_decay=0.01)
    losses = [_step(network, optimizer) for _ in range(25)]
    assert losses[-1] < 0.9 * losses[0]


def test_norms_and_biases_have_no_decay_and_nothing_is_missed() -> None:
    network = _network()
    set_trainable(network, "head")
    optimizer = build_optimizer(network, name="adamw", lr=1e-3, weight_decay=0.05)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decay) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        assert decay[id(parameter)] == (0.05 if parameter.ndim > 1 else 0.0), name


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_a_fused_step_is_the_plain_one(name: str, layout: Layout) -> None:
    found = []
    for fuses in (True, False):
        network = _network()
        network.set_layout(layout)
        optimizer = build_optimizer(network, name=name, lr=1e-3, weight_decay=0.1, fuses=fuses)
        assert bool(optimizer.defaults.get("fused")) == fuses
        for _ in range(4):
            _step(network, optimizer)
        found.append({k: v.detach() for k, v in network.named_parameters()})
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], rtol=1e-4, atol=1e-6, msg=key)


def test_what_the_options_say_of_the_step_is_done() -> None:
    network = _network()
    options = {"foreach": True}
    made = build_optimizer(
        network, name="adamw", lr=0.1, weight_decay=0.0, options=options, fuses=True
    )
    assert made.defaults["foreach"]
    assert not made.defaults["fused"]
    assert build_optimizer(network, name="lion", lr=0.1, weight_decay=0.0, fuses=True)


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("options", [{}, {"layer_decay": 0.7}])
def test_what_a_recipe_adds_to_a_network_trains(name: str, options: dict[str, float]) -> None:
    added = Additions(branch=True, shallow=(4, 1), auxiliary=(2,))
    network = build(name="resnet18", num_outputs=3, size=64, additions=added)
    optimizer = build_optimizer(network, name=name, lr=0.1, weight_decay=0.0, options=options)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())


def test_building_leaves_frozen_what_was_frozen() -> None:
    network = _network()
    set_trainable(network, "head")
    build_optimizer(network, name="sgd", lr=0.1, weight_decay=0.0)
    assert {k for k, p in network.named_parameters() if p.requires_grad} == {
        "head.weight",
        "head.bias",
    }


def test_muon_leaves_first_convolution_and_head_to_adam() -> None:
    network = _network()
    optimizer = build_optimizer(network, name="muon", lr=1e-3, weight_decay=0.01)
    fallback = {id(p) for g in optimizer.param_groups if g.get("use_fallback") for p in g["params"]}
    kernels = {name: p for name, p in network.named_parameters() if p.ndim > 1}
    assert {name for name, p in kernels.items() if id(p) in fallback} == {
        "backbone.stem.0.weight",
        "head.weight",
    }


def test_layer_decay_gives_early_layers_smaller_rates() -> None:
    network = _network()
    optimizer = build_optimizer(
        network, name="adamw", lr=1e-3, weight_decay=0.01, options={"layer_decay": 0.5}
    )
    scale = {id(p): g.get("lr_scale", 1.0) for g in optimizer.param_groups for p in g["params"]}
    assert scale[id(network.get_parameter("backbone.stem.0.weight"))] == 0.125
    assert scale[id(network.get_parameter("backbone.stages.1.1.weight"))] == 0.5
    assert scale[id(network.get_parameter("backbone.stages.2.0.weight"))] == 1.0
    assert scale[id(network.head.weight)] == 1.0


def test_layer_decay_without_named_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match="group_matcher"):
        build_optimizer(
            nn.Linear(2, 2), name="sgd", lr=1.0, weight_decay=0.0, options={"layer_decay": 0.5}
        )


def test_options_reach_the_optimizer() -> None:
    optimizer = build_optimizer(
        _network(), name="adamw", lr=1e-3, weight_decay=0.0, options={"betas": [0.8, 0.9]}
    )
    assert list(optimizer.param_groups[0]["betas"]) == [0.8, 0.9]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adamww", {}, "did you mean 'adamw'"),
        ("bnbadam", {}, "needs the package bitsandbytes"),
        ("adahessian", {}, "second derivatives"),
        ("kron", {}, "a checkpoint cannot hold"),
        ("lookahead_adamw", {}, "lookahead is a key of its own"),
        ("adamw", {"layer_decay": 0.0}, "layer_decay: a number above 0 and at most 1"),
        ("adamw", {"layer_decay": "0.7"}, "layer_decay: a number above 0 and at most 1"),
        ("adamw", {"beta": 0.9}, "unknown option 'beta'; did you mean 'betas'"),
        ("sgd", {"lr": 0.9}, r"lr is set by train\.lr"),
        ("adamw", {"betas": [2.0, 3.0]}, "adamw: Invalid beta"),
    ],
)
def test_mistakes_are_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_optimizer(_network(), name=name, lr=1e-3, weight_decay=0.0, options=options)
