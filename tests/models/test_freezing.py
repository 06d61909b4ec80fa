"""What trains, and that what does not stays as it is to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.freezing import Trainable, blocks, set_trainable, train_mode
from foldwise.models.network import Network


def _network(name: str = "test_efficientnet") -> Network:
    torch.manual_seed(0)
    return build(name=name, num_outputs=3, size=64, drop=0.2)


def _trained(network: Network) -> set[str]:
    return {name for name, p in network.named_parameters() if p.requires_grad}


def _step(network: Network, norm: str = "train") -> dict[str, torch.Tensor]:
    """One step of training; the state before it."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_mode(network, norm)  # type: ignore[arg-type]
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    nn.functional.cross_entropy(network(images), torch.tensor([0, 1, 2, 0])).backward()
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1).step()
    return before


def _changed(network: Network, before: dict[str, torch.Tensor]) -> set[str]:
    return {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}


@pytest.mark.parametrize("name", ["small_resnet", "test_vit", "test_convnext", "test_efficientnet"])
def test_head_only_training_changes_the_head_and_nothing_else(name: str) -> None:
    network = _network(name)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    features = network.eval().features(images)
    set_trainable(network, "head")
    before = _step(network)
    assert _changed(network, before) == {"head.weight", "head.bias"}
    # Neither dropout nor batch statistics make them others than those of inference.
    assert torch.equal(network.features(images), features)


def test_the_last_blocks_train_and_earlier_ones_keep_their_statistics() -> None:
    network = _network()
    set_trainable(network, {"last": 2})
    last = {f"backbone.{name}" for block in blocks(network)[-2:] for name in block}
    assert _trained(network) == last | {"head.weight", "head.bias"}
    changed = _changed(network, _step(network))
    prefixes = tuple({name.rpartition(".")[0] for name in last} | {"head"})
    assert {name for name in changed if not name.startswith(prefixes)} == set()
    assert any("running_mean" in name for name in changed)


@pytest.mark.parametrize("name", ["small_resnet", "test_vit", "test_convnext", "test_efficientnet"])
def test_head_and_norms_change_and_nothing_else(name: str) -> None:
    network = _network(name)
    layers = {
        key
        for key, module in network.named_modules()
        if "norm" in type(module).__name__.lower() and hasattr(module, "weight")
    }
    set_trainable(network, "head_norms")
    trained = _trained(network)
    assert {key.rpartition(".")[0] for key in trained} == layers | {"head"}
    changed = _changed(network, _step(network))
    statistics = {key for key in changed if "running" in key or "num_batches" in key}
    # Gradients behind a layer scale of 1e-6 are too small to move a weight of 1.
    assert {"head.weight", "head.bias"} < changed - statistics <= trained
    assert {key.rpartition(".")[0] for key in statistics} <= layers
    assert bool(statistics) == (name in ("small_resnet", "test_efficientnet"))


def test_a_network_without_norms_cannot_train_them() -> None:
    own = Network(nn.Flatten(), nn.Linear(12, 2), mean=(0.5,) * 3, std=(0.2,) * 3)
    with pytest.raises(ConfigError, match="Flatten has no normalisation layers"):
        set_trainable(own, "head_norms")


def test_all_trains_all_and_none_trains_nothing() -> None:
    network = _network()
    set_trainable(network, "all")
    assert len(_trained(network)) == len(list(network.parameters()))
    train_mode(network)
    assert all(module.training for module in network.modules())
    set_trainable(network, "none")
    assert not _trained(network)
    train_mode(network)
    assert not any(module.training for module in network.modules())


def test_frozen_norms_do_not_stop_those_of_what_is_added() -> None:
    torch.manual_seed(0)
    added = Additions(branch=True, shallow=(8, 1))
    network = build(name="test_efficientnet", num_outputs=3, size=64, additions=added)
    set_trainable(network, "head")
    changed = _changed(network, _step(network, norm="frozen"))
    means = {name for name in changed if name.endswith("running_mean")}
    assert {name.partition(".")[0] for name in means} == {"branch", "shallow"}


def test_frozen_norms_keep_their_statistics_while_their_weights_train() -> None:
    network = _network()
    set_trainable(network, "all")
    changed = _changed(network, _step(network, norm="frozen"))
    assert not any("running" in name or "num_batches" in name for name in changed)
    assert any(".bn1.weight" in name for name in changed)


@pytest.mark.parametrize(
    ("name", "num", "last"),
    [
        ("vit_tiny_patch16_224", 13, "blocks.11."),
        ("tf_efficientnet_lite0", 17, "blocks.6.0."),
        ("resnet18", 9, "layer4.1."),
        ("convnext_atto", 13, "stages.3.blocks.1."),
        ("inception_v3", None, "Mixed_7c."),
        ("small_resnet", 7, "stages.5."),
    ],
)
def test_blocks_are_those_of_the_architecture(name: str, num: int | None, last: str) -> None:
    with torch.device("meta"):
        whole = build(name=name, num_outputs=2, size=224)
    found = blocks(whole)
    assert num is None or len(found) == num
    assert any(weight.startswith(last) for weight in found[-1])
    names = sorted(weight for block in found for weight in block)
    assert names == sorted(dict(whole.backbone.named_parameters()))


def test_blocks_of_an_own_network_are_its_children(tmp_path: Path) -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
    network = Network(
        nn.ModuleDict({"stem": nn.Linear(1, 1), "body": body}), None, mean=(0.5,), std=(0.5,)
    )
    network.head = nn.Linear(4, 2)
    assert blocks(network) == [
        ["stem.weight", "stem.bias"],
        ["body.0.weight", "body.0.bias"],
        ["body.2.weight", "body.2.bias"],
    ]


@pytest.mark.parametrize("num", [0, 99])
def test_more_blocks_than_there_are_is_refused(num: int) -> None:
    with pytest.raises(ConfigError, match=rf"last: {num}: .* has \d+ blocks"):
        set_trainable(_network(), {"last": num})


@pytest.mark.parametrize("what", ["head", {"last": 1}])
def test_a_network_without_a_known_head_cannot_train_it_alone(what: Trainable) -> None:
    network = Network(nn.Conv2d(3, 2, 3), None, mean=(0.5,) * 3, std=(0.5,) * 3)
    with pytest.raises(ConfigError, match="does not say which of its layers is the head"):
        set_trainable(network, what)
