"""Networks for several images: stacked as channels, or one after the other with shared weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.network import Network
from foldwise.models.siamese import JOINS, Siamese
from foldwise.models.small import NETWORKS
from foldwise.models.weights import Weights

_TIMM = ["test_vit", "test_convnext", "test_efficientnet", "test_resnet"]
_OUTPUTS = 3


def images(num_images: int, channels: int = 3, size: int = 64) -> Tensor:
    rng = torch.Generator().manual_seed(num_images)
    shape = (2, num_images * channels, size, size)
    return torch.randint(0, 256, shape, generator=rng, dtype=torch.uint8)


def made(
    name: str, num_images: int = 1, *, siamese: Siamese | None = None, **given: object
) -> Network:
    size = 160 if name == "test_vit" else 64
    added = Additions(siamese=siamese)
    network = build(
        name=name, num_outputs=_OUTPUTS, size=size, num_images=num_images, additions=added,
        **given,  # type: ignore[arg-type]  # Channels and weights, as each test wants them.
    )  # fmt: skip
    return network.eval()


def saved(network: Network, path: Path, *, bare: bool = False) -> Weights:
    """A network's weights as a file, by our names or by those of timm's network."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    if bare:
        head = {"test_vit": "head", "test_resnet": "fc", "test_efficientnet": "classifier"}
        place = head.get(network.backbone.pretrained_cfg["architecture"], "head.fc")  # type: ignore[index]
        tensors = {
            name.replace("backbone.", "").replace("head.", f"{place}.", name.startswith("head.")): v
            for name, v in tensors.items()
            if name not in ("mean", "std")
        }
    save_file(tensors, path)
    return Weights("file", path, "0" * 64)


@pytest.mark.parametrize("num_images", [2, 3, 4])
@pytest.mark.parametrize("name", [*NETWORKS, *_TIMM])
def test_equal_images_as_channels_give_what_one_gave(
    name: str, num_images: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    one = made(name)
    several = made(name, num_images, weights=saved(one, tmp_path / "one.safetensors"))
    shown = images(1, size=160 if name == "test_vit" else 64)
    assert several.num_channels == 3 * num_images
    with torch.no_grad():
        wanted, found = one(shown), several(shown.repeat(1, num_images, 1, 1))
        other = several(torch.cat([shown] + [255 - shown] * (num_images - 1), dim=1))
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(other, wanted, atol=1e-3)


def test_grey_images_as_channels_keep_the_statistics_of_grey(tmp_path: Path) -> None:
    torch.manual_seed(0)
    bare = saved(made("test_resnet"), tmp_path / "rgb.safetensors", bare=True)
    one = made("test_resnet", channels=1, weights=bare)
    three = made("test_resnet", 3, channels=1, weights=bare)
    assert torch.equal(three.mean, one.mean.repeat(3))
    shown = images(1, channels=1)
    with torch.no_grad():
        assert torch.allclose(three(shown.repeat(1, 3, 1, 1)), one(shown), atol=1e-5)


def test_weights_of_stacked_images_are_taken_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = made("small_cnn", 2)
    again = made("small_cnn", 2, weights=saved(first, tmp_path / "two.safetensors"))
    shown = images(2)
    with torch.no_grad():
        assert torch.equal(again(shown), first(shown))


def test_a_network_from_scratch_starts_with_filters_of_its_own_for_each_image() -> None:
    weight = made("small_resnet", 3).backbone.get_submodule("stem").weight
    assert weight.shape[1] == 9
    assert not torch.allclose(weight[:, :3], weight[:, 3:6])


def test_a_layer_that_standardises_its_weights_is_refused(tmp_path: Path) -> None:
    code = tmp_path / "several_images_standardised.py"
    code.write_text(
        "from timm.layers import StdConv2d\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, channels, num_outputs):\n"
        "        super().__init__()\n"
        "        self.body, self.head = StdConv2d(channels, 8, 3), nn.Linear(8, num_outputs)\n"
        "    def forward(self, images):\n"
        "        return self.head(self.body(images).amax(dim=(2, 3)))\n"
        "class Flat(nn.Module):\n"
        "    def __init__(self, channels, num_outputs):\n"
        "        super().__init__()\n"
        "        self.body = nn.Linear(channels * 64 * 64, 8)\n"
        "        self.head = nn.Linear(8, num_outputs)\n"
        "    def forward(self, images):\n"
        "        return self.head(self.body(images.flatten(1)))\n"
        "def net(*, num_outputs, channels):\n    return Net(channels, num_outputs)\n"
        "def flat(*, num_outputs, channels):\n    return Flat(channels, num_outputs)\n"
    )
    for name, wrong in (("net", "standardises them"), ("flat", "does not begin with one conv")):
        full = f"{code.stem}:{name}"
        weights = saved(made(full, code=tmp_path), tmp_path / f"{name}.safetensors")
        with pytest.raises(ConfigError, match=wrong) as caught:
            made(full, 2, code=tmp_path, weights=weights)
        assert "model.siamese" in caught.value.remedy


@pytest.mark.parametrize("name", JOINS)
def test_a_join_is_what_it_says(name: str) -> None:
    features = torch.randn(5 * 2, 7)
    first, second = features[0::2], features[1::2]
    wanted = {
        "concat": torch.cat([first, second], dim=1),
        "mean": (first + second) / 2,
        "max": torch.maximum(first, second),
        "difference": first - second,
        "distance": (first - second).abs(),
        "product": first * second,
    }[name]
    siamese = Siamese(2, 3, (name,))
    assert torch.allclose(siamese.join(features), wanted)
    assert siamese.num_joined(7) == wanted.shape[1]


def test_joins_stand_side_by_side() -> None:
    siamese, features = Siamese(3, 1, ("mean", "max")), torch.randn(2 * 3, 4)
    each = features.view(2, 3, 4)
    assert torch.allclose(siamese.join(features), torch.cat([each.mean(1), each.amax(1)], dim=1))


def test_images_go_apart_in_order() -> None:
    shown = images(3)
    apart = Siamese(3, 3, ("mean",)).apart(shown)
    assert torch.equal(
        apart, torch.stack([shown[s, 3 * v : 3 * v + 3] for s in (0, 1) for v in range(3)])
    )
    laid = shown.contiguous(memory_format=torch.channels_last)
    assert torch.equal(Siamese(3, 3, ("mean",)).apart(laid), apart)


@pytest.mark.parametrize("name", ["small_resnet", "test_resnet", "test_vit"])
def test_one_set_of_weights_sees_all_images(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    one = made(name)
    weights = saved(one, tmp_path / "one.safetensors")
    pair = made(name, 2, siamese=Siamese(2, 3, ("concat",)), weights=weights)
    size = 160 if name == "test_vit" else 64
    backbone = {key for key in one.state_dict() if key.startswith("backbone.")}
    assert backbone == {key for key in pair.state_dict() if key.startswith("backbone.")}
    assert len(pair.mean) == 3
    assert pair.num_channels == 6
    assert pair.num_features == 2 * one.num_features
    shown = images(2, size=size)
    with torch.no_grad():
        found, first, second = (
            pair.features(shown), one.features(shown[:, :3]), one.features(shown[:, 3:])
        )  # fmt: skip
        assert torch.allclose(found, torch.cat([first, second], dim=1), atol=1e-5)
        mean = made(name, 2, siamese=Siamese(2, 3, ("mean",)), weights=weights)
        turned = torch.cat([shown[:, 3:], shown[:, :3]], dim=1)
        assert torch.allclose(mean(turned), mean(shown), atol=1e-5)
        # The head of as many features is kept.
        assert torch.allclose(mean(shown[:, :3].repeat(1, 2, 1, 1)), one(shown[:, :3]), atol=1e-4)


def test_a_shallow_stream_and_auxiliary_heads_look_at_joined_features() -> None:
    added = Additions(siamese=Siamese(2, 3, ("concat",)), shallow=(4, 1), auxiliary=(2,))
    network = build(
        name="small_cnn", num_outputs=_OUTPUTS, size=32, num_images=2, additions=added,
        options={"widths": [8, 8]},
    ).eval()  # fmt: skip
    shown = images(2, size=32)
    logits, others = network.all_outputs(shown)
    assert network.features(shown).shape == (2, 2 * 8 + 2 * 4)
    assert (logits.shape, others[0].shape) == ((2, _OUTPUTS), (2, 2))


@pytest.mark.parametrize("name", ["small_cnn", "test_resnet"])
def test_weights_of_a_siamese_network_start_a_plain_one_with_a_new_head(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    pair = made(name, 2, siamese=Siamese(2, 3, ("concat",)))
    one = made(name, weights=saved(pair, tmp_path / "pair.safetensors"))
    shown = images(1)
    with torch.no_grad():
        assert torch.allclose(one.features(shown), pair.apart_features(shown), atol=1e-5)


@pytest.mark.parametrize(
    ("num_images", "joins", "wrong"),
    [
        (1, ("concat",), "one image, so there is nothing to join"),
        (3, ("distance", "max"), "distance goes with two images, and a sample has 3"),
    ],
)
def test_images_that_cannot_be_joined_are_refused(
    num_images: int, joins: tuple[str, ...], wrong: str
) -> None:
    with pytest.raises(ConfigError, match=wrong):
        Siamese(num_images, 3, joins)


def test_an_attention_branch_and_siamese_are_refused() -> None:
    added = Additions(siamese=Siamese(2, 3, ("mean",)), branch=True)
    with pytest.raises(ConfigError, match=r"model\.branch: an attention branch looks at the map"):
        build(name="small_cnn", num_outputs=2, size=32, num_images=2, additions=added)
