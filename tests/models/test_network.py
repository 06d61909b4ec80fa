"""Networks by name: features, head, normalisation, sizes, channels, and how mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import timm
import torch
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.building import build
from foldwise.models.network import Layout, Network
from foldwise.models.small import NETWORKS

# One of each way to end a network, the smallest timm has.
_TIMM = ["test_vit", "test_convnext", "test_efficientnet", "test_resnet", "test_byobnet"]
_NAMES = [*NETWORKS, *_TIMM]

_OWN = """
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, width, num_outputs, channels):
        super().__init__()
        self.body = nn.Conv2d(channels, width, 3)
        self.head = nn.Linear(width, num_outputs)

    def forward(self, images):
        return self.head(self.body(images).amax(dim=(2, 3)))

class Scaled(Plain):
    def forward(self, images):
        return 2.0 * super().forward(images)

def plain(*, num_outputs, channels, width: int = 6):
    return Plain(width, num_outputs, channels)

def scaled(*, num_outputs, channels):
    return Scaled(6, num_outputs, channels)

def wrong(*, num_outputs, channels):
    return Plain(6, num_outputs + 1, channels)

def nothing(*, num_outputs, channels):
    return 3
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "own_networks_of_test.py").write_text(_OWN)
    return folder


def _images(channels: int = 3, size: int = 64, num: int = 2) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (num, channels, size, size), generator=rng, dtype=torch.uint8)


@pytest.mark.parametrize("name", _NAMES)
def test_the_head_on_the_features_is_the_forward_pass(name: str) -> None:
    network = build(name=name, num_outputs=5, size=64).eval()
    with torch.no_grad():
        features, logits = network.features(_images()), network(_images())
        assert features.shape == (2, network.num_features)
        assert logits.shape == (2, 5)
        assert torch.equal(network.head(features), logits)


@pytest.mark.parametrize("name", _TIMM)
def test_a_timm_network_gives_what_timm_gives(name: str) -> None:
    network = build(name=name, num_outputs=5, size=160).eval()
    twin = timm.create_model(name, num_classes=5).eval()
    keys = dict(zip(network.backbone.state_dict(), twin.state_dict(), strict=False))
    weights = {k: v for k, v in network.backbone.state_dict().items() if k in keys}
    classifier = next(n for n, m in twin.named_modules() if m is twin.get_classifier())
    weights[f"{classifier}.weight"] = network.head.weight
    weights[f"{classifier}.bias"] = network.head.bias
    twin.load_state_dict(weights)
    config = twin.pretrained_cfg
    mean = torch.tensor(config["mean"]).view(-1, 1, 1)
    std = torch.tensor(config["std"]).view(-1, 1, 1)
    with torch.no_grad():
        expected = twin((_images(size=160) / 255 - mean) / std)
        torch.testing.assert_close(network(_images(size=160)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels_than_three_work(name: str, channels: int) -> None:
    network = build(name=name, num_outputs=2, size=64, channels=channels).eval()
    assert network.mean.shape == network.std.shape == (channels,)
    assert network(_images(channels)).shape == (2, 2)


def test_floats_and_bytes_give_the_same() -> None:
    network = build(name="small_cnn", num_outputs=2, size=16).eval()
    images = _images(size=16)
    assert torch.equal(network(images), network(images.float()))


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("layout", get_args(Layout))
def test_normalised_is_less_the_mean_over_the_spread_to_the_bit(
    channels: int, layout: Layout
) -> None:
    rng = torch.manual_seed(1)
    mean, std = torch.rand(2, channels, generator=rng).tolist()
    network = Network(nn.Identity(), None, mean=tuple(mean), std=tuple(std))
    network.set_layout(layout)
    images = torch.randint(0, 256, (3, 9, 7, channels), generator=rng).byte().permute(0, 3, 1, 2)
    less, over = (255.0 * x.view(1, -1, 1, 1) for x in (network.mean, network.std))
    for given in (images, images.contiguous(), images.float(), images.float().contiguous()):
        before = given.clone()
        assert torch.equal(network.normalize(given), (images.float() - less) / over)
        assert torch.equal(given, before)


def test_a_vision_transformer_takes_the_size_asked_for() -> None:
    network = build(name="test_vit", num_outputs=2, size=96).eval()
    assert network(_images(size=96)).shape == (2, 2)


def test_the_statistics_are_saved_with_the_weights() -> None:
    network = build(name="test_resnet", num_outputs=2, size=32)
    other = Network(nn.Flatten(), nn.Linear(3, 2), mean=(0.0,) * 3, std=(1.0,) * 3)
    state = {k: v for k, v in network.state_dict().items() if k in ("mean", "std")}
    other.load_state_dict(state, strict=False)
    assert torch.equal(other.mean, network.mean)
    flat = torch.full((1, 3, 1, 1), 255.0) * network.mean.view(1, -1, 1, 1)
    torch.testing.assert_close(other.normalize(flat), torch.zeros(1, 3, 1, 1))


def test_features_are_without_dropout_in_eval_mode_and_with_it_in_training() -> None:
    network = build(name="small_cnn", num_outputs=2, size=16, drop=0.5)
    images = _images(size=16)
    network.eval()
    assert torch.equal(network.features(images), network.features(images))
    network.train()
    assert not torch.equal(network.features(images), network.features(images))


def test_drop_path_reaches_the_blocks() -> None:
    for name in ("small_resnet", "test_vit"):
        network = build(name=name, num_outputs=2, size=64, drop_path=0.9).train()
        assert any(
            getattr(m, "drop_path", 0) or getattr(m, "drop_prob", 0) for m in network.modules()
        ), name


def test_an_own_network_in_a_file_has_features_without_doing_anything(code: Path) -> None:
    network = build(
        name="own_networks_of_test:plain", num_outputs=4, size=9, options={"width": 7}, code=code
    )
    assert network.has_features
    assert network.num_features == 7
    assert network(_images(size=9)).shape == (2, 4)


def test_what_does_more_after_its_head_has_no_features_and_says_so(code: Path) -> None:
    network = build(name="own_networks_of_test:scaled", num_outputs=4, size=9, code=code)
    assert not network.has_features
    assert network(_images(size=9)).shape == (2, 4)
    with pytest.raises(ConfigError, match="Scaled ends in something other than one linear"):
        network.features(_images(size=9))


def test_a_timm_network_with_two_heads_has_no_features_but_works() -> None:
    network = build(name="efficientformer_l1", num_outputs=3, size=224).eval()
    assert not network.has_features
    assert network(_images(size=224, num=1)).shape == (1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "resnet81"}, "unknown; did you mean 'resnet18'"),
        ({"name": "small_resnt"}, "did you mean 'small_resnet'"),
        ({"name": "resnet18.a9"}, "no weights tagged 'a9'"),
        ({"name": "test_resnet", "options": {"in_chans": 1}}, r"in_chans: is set by input\.chan"),
        ({"name": "test_resnet", "options": {"avg_dwn": True}}, "did you mean 'avg_down'"),
        ({"name": "vgg11", "drop_path": 0.1}, r"model\.drop_path cannot be honoured"),
        ({"name": "small_cnn", "drop_path": 0.1}, r"model\.drop_path cannot be honoured"),
        ({"name": "small_cnn", "options": {"widhts": [8]}}, "did you mean 'widths'"),
        ({"name": "small_cnn", "options": {"widths": [9]}}, "multiple of 8, found 9"),
        ({"name": "small_cnn", "options": {"norm": "layer"}}, "'batch' or 'group'"),
        ({"name": "inception_v4", "size": 32}, "cannot take 3 channels of 32 x 32 px"),
        ({"name": "own_networks_of_test:wrong"}, r"gives \(1, 5\) for one image, \(1, 4\)"),
        ({"name": "own_networks_of_test:nothing"}, r"gave int, not an nn\.Module"),
        ({"name": "own_networks_of_test:plane"}, "did you mean 'plain'"),
        ({"name": "no_such_file_of_test:net"}, "put no_such_file_of_test.py into"),
    ],
)
def test_mistakes_are_named(code: Path, change: dict[str, object], message: str) -> None:
    settings: dict[str, object] = {"num_outputs": 4, "size": 64, "code": code}
    with pytest.raises(ConfigError, match=message):
        build(**(settings | change))  # type: ignore[arg-type]


def test_building_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    for name in ("resnet18", "test_vit", "small_cnn"):
        build(name=name, num_outputs=2, size=64)
