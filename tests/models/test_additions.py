"""What a recipe adds to a network: dropped copies, an attention branch, a shallow stream, heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.columns import ColumnEncoder, number_values
from foldwise.models.freezing import set_trainable
from foldwise.models.multi_sample import MultiSampleLinear
from foldwise.models.network import Network
from foldwise.models.weights import Weights

_SEED = 3


def _built(name: str = "small_cnn", size: int = 16, **additions: object) -> Network:
    torch.manual_seed(_SEED)
    added = Additions(**additions)  # type: ignore[arg-type]
    return build(name=name, num_outputs=3, size=size, additions=added)


def _images(num: int = 4, size: int = 16) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (num, 3, size, size), generator=rng, dtype=torch.uint8)


def _encoder() -> ColumnEncoder:
    ages = number_values(np.array([1.0, 2.0, np.nan, 5.0]))
    return ColumnEncoder.fit(["number"], ages[:, None])


def test_multi_sample_dropout_is_the_mean_of_the_logits_of_dropped_copies() -> None:
    plain = nn.Linear(6, 2)
    head = MultiSampleLinear(plain, samples=4, p=0.4)
    features = torch.randn(5, 6)
    torch.manual_seed(_SEED)
    found = head(features)
    torch.manual_seed(_SEED)
    masks = torch.nn.functional.dropout(torch.ones(4, 5, 6), 0.4)
    expected = torch.stack([plain(features * mask) for mask in masks]).mean(dim=0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(masks.unique(), torch.tensor([0.0, 1 / 0.6]))
    assert torch.equal(head.eval()(features), plain(features))
    assert head.state_dict().keys() == plain.state_dict().keys()


def test_more_copies_make_a_calmer_head_of_the_same_mean() -> None:
    plain, features = nn.Linear(40, 1), torch.randn(1, 40).expand(4000, 40)
    spreads = []
    for samples in (2, 8):
        logits = MultiSampleLinear(plain, samples=samples, p=0.5)(features).detach()
        assert abs(logits.mean() - plain(features[:1])).item() < 4 * float(logits.std()) / 60
        spreads.append(float(logits.std()))
    assert spreads[0] / spreads[1] == pytest.approx(2.0, rel=0.1)  # The root of 8 / 2.


@pytest.mark.parametrize("name", ["small_resnet", "test_resnet", "test_convnext"])
def test_an_attention_branch_weighs_the_last_map(name: str) -> None:
    size = 64 if name.startswith("test") else 16
    network = _built(name, size=size, branch=True).eval()
    plain = build(name=name, num_outputs=3, size=size).eval()
    plain.backbone.load_state_dict(network.backbone.state_dict())
    images = _images(size=size)
    assert network.branch is not None
    with torch.no_grad():
        assert (network.attention_maps(images) == 0.5).all()  # At first, whatever the image.
        network.branch.look_norm.weight.fill_(3.0)
        maps = network.attention_maps(images)
        assert maps.ndim == 3
        assert maps.min() >= 0
        assert maps.max() <= 1
        assert maps.std() > 0
        pixels = network.normalize(images)
        deep = plain.backbone.forward_features(pixels)  # type: ignore[operator]
        expected = plain.backbone.forward_head(deep * (1 + maps[:, None]))  # type: ignore[operator]
        torch.testing.assert_close(network.features(images), expected)
        logits, (branched,) = network.all_outputs(images)
        assert torch.equal(logits, network(images))
        found = torch.relu(network.branch.norm(network.branch.narrow(deep)))
        torch.testing.assert_close(branched, network.branch.classify(found).mean(dim=(2, 3)))


def test_the_loss_of_the_head_teaches_the_attention() -> None:
    network = _built(branch=True).train()
    assert network.branch is not None
    network(_images()).square().sum().backward()
    assert network.branch.look_norm.weight.grad is not None
    assert network.branch.look_norm.weight.grad.abs().item() > 0


def test_an_attention_branch_needs_a_map() -> None:
    with pytest.raises(
        ConfigError, match=r"VisionTransformer gives \(1, \d+, \d+\) before its head"
    ):
        _built("test_vit", size=160, branch=True)
    with pytest.raises(ConfigError, match="of 2 x 2 places at least") as error:
        _built("test_resnet", size=32, branch=True)
    assert "larger input.size" in error.value.remedy
    with pytest.raises(ConfigError, match="no attention branch, so no maps"):
        _built().attention_maps(_images())


def test_streams_join_the_features_in_order_and_keep_the_head_of_the_image() -> None:
    network = _built(columns=_encoder(), shallow=(5, 2)).eval()
    plain = _built().eval()
    values = torch.tensor([[[3.0, 0.0]], [[torch.nan, torch.nan]], [[1.0, 0.0]], [[9.0, 0.0]]])
    with torch.no_grad():
        features = network.features(_images(), values)
        deep = plain.num_features
        assert features.shape == (4, deep + 2 + 5)
        assert torch.equal(features[:, :deep], network.image_features(_images()))
        assert network.columns is not None
        assert torch.equal(features[:, deep : deep + 2], network.columns(values))
        assert network.shallow is not None
        assert torch.equal(features[:, deep + 2 :], network.shallow(network.normalize(_images())))
        assert torch.equal(network.head.weight[:, :deep], plain.head.weight)
        assert torch.equal(network(_images(), values), network.head(features))


def test_a_shallow_stream_looks_at_full_resolution() -> None:
    network = _built(shallow=(4, 1)).eval()
    assert network.shallow is not None
    sizes: list[torch.Size] = []
    network.shallow[0].register_forward_hook(lambda _, inputs, output: sizes.append(output.shape))
    network(_images())
    assert sizes == [(4, 4, 16, 16)]


def test_auxiliary_heads_share_the_features_and_are_left_out_of_the_answer() -> None:
    network = _built(auxiliary=(4, 1), branch=True).eval()
    with torch.no_grad():
        logits, others = network.all_outputs(_images())
        assert [tuple(found.shape) for found in others] == [(4, 3), (4, 4), (4, 1)]
        features = network.features(_images())
        assert torch.equal(others[1], network.auxiliary[0](features))
        assert torch.equal(logits, network(_images()))


def test_what_is_added_trains_with_the_head() -> None:
    network = _built(pool="gem", shallow=(4, 1), branch=True, auxiliary=(2,), columns=_encoder())
    set_trainable(network, "head")
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    starts = {"head", "shallow", "branch", "auxiliary"}
    assert {name.split(".")[0] for name in trained} == starts | {"backbone"}
    assert [n for n in trained if n.startswith("backbone")] == ["backbone.global_pool.pool.p"]


@pytest.mark.parametrize("addition", ["multi_sample", "branch", "shallow", "columns", "auxiliary"])
def test_a_network_without_features_takes_no_additions(tmp_path: Path, addition: str) -> None:
    (tmp_path / "headless_of_test.py").write_text(
        "from torch import nn\n\ndef network(*, num_outputs, channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))\n"
    )
    given = {
        "multi_sample": (5, 0.5),
        "branch": True,
        "shallow": (4, 1),
        "columns": _encoder(),
        "auxiliary": (2,),
    }
    with pytest.raises(ConfigError, match="Sequential ends in something other than one linear"):
        build(
            name="headless_of_test:network",
            num_outputs=3,
            size=16,
            code=tmp_path,
            additions=Additions(**{addition: given[addition]}),  # type: ignore[arg-type]
        )


def test_weights_of_a_network_with_additions_start_a_plain_one(tmp_path: Path) -> None:
    first = _built(shallow=(4, 1), auxiliary=(2,), branch=True, columns=_encoder())
    file = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, file)
    torch.manual_seed(9)
    second = build(
        name="small_cnn", num_outputs=3, size=16, weights=Weights("file:weights", file, "x")
    )
    for name, value in second.backbone.state_dict().items():
        assert torch.equal(value, first.backbone.state_dict()[name]), name
    assert second.head.in_features == second.num_features
