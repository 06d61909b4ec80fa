"""Heads of prototypes: similarities and diversity worked by hand, slopes, weights kept apart."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from foldwise.errors import ConfigError
from foldwise.losses.multiclass import affinity
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.prototypes import PrototypeHead, Prototypes
from foldwise.models.weights import resolve


def _plane(places: list[list[list[float]]], sigma: float = 1.0) -> PrototypeHead:
    """Prototypes at these (C, M, 2) places; the embedding is what it is given, at length 1."""
    found = torch.tensor(places)
    head = PrototypeHead(2, len(found), Prototypes(found.shape[1], sigma, 2))
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
        head.bias.zero_()
        head.prototypes.copy_(found)
    return head


def test_the_nearest_prototype_of_a_class_says_its_similarity() -> None:
    head = _plane([[[0.0, 0.0], [0.6, 0.3]], [[2.6, 0.8], [0.0, 9.0]]], sigma=0.5)
    # (0.6, 0.8): 1 and 0.25 from those of the first class; 4 and 67.6 from those of the second.
    found = head(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
    torch.testing.assert_close(found, torch.tensor([[-0.25, -4.0]]).expand(2, 2) / 0.5)


def test_a_case_worked_by_hand_from_features_to_the_loss() -> None:
    head = _plane([[[0.0, 0.0]], [[1.0, 1.0]], [[-1.0, 0.0]]], sigma=2.0)
    # (1, 0): squared distances 1, 1 and 4.
    logits = head(torch.tensor([[2.0, 0.0]]))
    near, far = math.exp(-1.0 / 2.0), math.exp(-4.0 / 2.0)
    loss = affinity(logits, torch.tensor([0]), margin=0.5)
    assert loss.item() == pytest.approx(0.5 + (0.5 + far - near), rel=1e-6)


def test_diversity_of_prototypes_worked_by_hand() -> None:
    # Squared distances 4, 9 and 13: mean 26 / 3.
    head = _plane([[[0.0, 0.0]], [[2.0, 0.0]], [[0.0, 3.0]]])
    mu = 26 / 3
    by_hand = ((4 - mu) ** 2 + (9 - mu) ** 2 + (13 - mu) ** 2) / 3
    assert head.diversity().item() == pytest.approx(by_hand, rel=1e-6)
    # Two of one class are pairs like others: 25 within; 25, 0, 0, 25 and 25 across.
    head = _plane([[[0.0, 0.0], [3.0, 4.0]], [[3.0, 4.0], [0.0, 0.0]]])
    squares = torch.tensor([25.0, 25.0, 0.0, 0.0, 25.0, 25.0])
    assert head.diversity().item() == pytest.approx(squares.var(correction=0).item(), rel=1e-6)


def test_an_equilateral_triangle_is_as_diverse_as_can_be() -> None:
    head = _plane([[[0.0, 0.0]], [[2.0, 0.0]], [[1.0, math.sqrt(3.0)]]])
    assert head.diversity().item() == pytest.approx(0.0, abs=1e-9)
    head.diversity().backward()
    assert head.prototypes.grad is not None
    assert head.prototypes.grad.abs().max() < 1e-5


def test_descending_the_diversity_spaces_prototypes_equally() -> None:
    torch.manual_seed(0)
    head = PrototypeHead(8, 5, Prototypes(embedding=8))
    optimizer = torch.optim.SGD([head.prototypes], lr=0.01)
    start = head.diversity().item()
    for _ in range(200):
        optimizer.zero_grad()
        head.diversity().backward()
        optimizer.step()
    assert head.diversity().item() < 0.01 * start


def test_loss_and_penalty_have_slopes_that_are_right_and_reach_every_weight() -> None:
    torch.manual_seed(0)
    head = PrototypeHead(6, 4, Prototypes(per_class=2, embedding=3))
    features = torch.randn(5, 6, requires_grad=True)
    loss = affinity(head(features), torch.tensor([0, 1, 2, 3, 0])).mean() + head.diversity()
    loss.backward()
    for slope in (features.grad, *(weight.grad for weight in head.parameters())):
        assert slope is not None
        assert slope.abs().sum() > 0
    head.double()
    assert torch.autograd.gradcheck(lambda places: _diversity_at(head, places), head.prototypes)


def _diversity_at(head: PrototypeHead, places: torch.Tensor) -> torch.Tensor:
    return torch.func.functional_call(_Diversity(head), {"head.prototypes": places}, ())


class _Diversity(torch.nn.Module):
    def __init__(self, head: PrototypeHead) -> None:
        super().__init__()
        self.head = head

    def forward(self) -> torch.Tensor:
        return self.head.diversity()


@pytest.mark.parametrize("scale", [0.1, 100.0])
@pytest.mark.parametrize("num_features", [64, 2048])
def test_similarities_have_a_slope_whatever_the_features(num_features: int, scale: float) -> None:
    torch.manual_seed(0)
    head = PrototypeHead(num_features, 10, Prototypes())
    similarity = head(scale * torch.randn(32, num_features).abs()).exp()
    assert 0.05 < similarity.mean() < 0.5
    assert 0.01 < similarity.std() < 0.3


def test_similarities_are_single_precision_under_autocast() -> None:
    head = PrototypeHead(8, 3, Prototypes())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(torch.randn(2, 8)).dtype == torch.float32
        assert head.diversity().dtype == torch.float32


def test_a_network_gives_the_diversity_behind_what_else_only_training_sees() -> None:
    added = Additions(auxiliary=(2,), shallow=(4, 1), prototypes=Prototypes(embedding=5))
    network = build(name="small_cnn", num_outputs=3, size=16, additions=added)
    images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    logits, others = network.eval().all_outputs(images)
    assert logits.shape == (2, 3)
    assert (logits <= 0).all()
    assert [tuple(found.shape) for found in others] == [(2, 2), ()]
    torch.testing.assert_close(logits, network(images))
    assert network.head.in_features == network.num_features


def test_a_network_without_features_has_no_prototypes(tmp_path: Path) -> None:
    (tmp_path / "mine_endless.py").write_text(
        "from torch import nn\n"
        "def network(*, num_outputs, channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))\n"
    )
    added = Additions(prototypes=Prototypes())
    with pytest.raises(ConfigError, match="prototypes of classes: Sequential ends in"):
        build(name="mine_endless:network", num_outputs=3, size=16, code=tmp_path, additions=added)


def test_a_backbone_trained_with_prototypes_is_one_to_start_from(tmp_path: Path) -> None:
    added = Additions(prototypes=Prototypes())
    trained = build(name="small_cnn", num_outputs=3, size=16, additions=added)
    file = tmp_path / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in trained.state_dict().items()}, file)
    weights = resolve(
        str(file), name="small_cnn", rules_pretrained="allowed", cache=tmp_path, folder=tmp_path
    )
    plain = build(name="small_cnn", num_outputs=4, size=16, weights=weights)
    assert plain.head.weight.shape[0] == 4
    again = build(name="small_cnn", num_outputs=4, size=16, weights=weights, additions=added)
    for network in (plain, again):
        for name, value in trained.backbone.state_dict().items():
            torch.testing.assert_close(network.backbone.state_dict()[name], value)
