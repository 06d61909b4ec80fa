"""Networks that give masks: each decoder on each encoder, sizes, weights, and what says no."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.decoders import DECODERS
from foldwise.models.freezing import blocks, set_trainable, train_mode
from foldwise.models.mask_network import Encoder, MaskNetwork
from foldwise.models.packages import available_packages
from foldwise.models.segmentation import build_masks
from foldwise.models.weights import Weights, resolve
from foldwise.optim.optimizers import build_optimizer

_CLASSES = {
    "unet": smp.Unet,
    "unetplusplus": smp.UnetPlusPlus,
    "fpn": smp.FPN,
    "deeplabv3plus": smp.DeepLabV3Plus,
    "segformer": smp.Segformer,
    "upernet": smp.UPerNet,
    "linknet": smp.Linknet,
    "pan": smp.PAN,
    "manet": smp.MAnet,
}
_SMALL = ["test_resnet", "test_efficientnet", "test_convnext"]
_USUAL = ["resnet18", "tf_efficientnet_lite0", "mobilenetv2_100", "regnety_004", "convnext_atto"]
# Every decoder on the smallest network of each kind; the usual ones with the usual decoders.
_PAIRS = [(name, decoder) for name in _SMALL for decoder in DECODERS]
_PAIRS += [(name, decoder) for name in _USUAL for decoder in ("unet", "fpn", "pan")]

_OWN = """
import torch
from torch import nn

class Plain(nn.Module):
    stride = 8

    def __init__(self, num_outputs, channels):
        super().__init__()
        self.down = nn.Conv2d(channels, 4, 8, 8)
        self.up = nn.ConvTranspose2d(4, num_outputs, 8, 8)

    def forward(self, images):
        assert images.shape[2] % 8 == images.shape[3] % 8 == 0
        return self.up(self.down(images))

def plain(*, num_outputs, channels):
    return Plain(num_outputs, channels)

def coarse(*, num_outputs, channels):
    return nn.Conv2d(channels, num_outputs, 2, 2)
"""


def _images(height: int = 64, width: int = 64, channels: int = 3) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, channels, height, width), generator=rng, dtype=torch.uint8)


@cache
def _network(name: str = "test_resnet", decoder: str = "fpn") -> MaskNetwork:
    """Not to be changed."""
    torch.manual_seed(0)
    return build_masks(name=name, decoder=decoder, num_outputs=3, size=64, presence=True).eval()


def _fresh(decoder: str = "fpn", **settings: object) -> MaskNetwork:
    torch.manual_seed(0)
    return build_masks(
        **{"name": "test_resnet", "decoder": decoder, "num_outputs": 3, "size": 64, **settings}  # type: ignore[arg-type]  # Settings of one test each.
    )


def _timm(name: str, **settings: object) -> nn.Module:
    torch.manual_seed(1)
    network: nn.Module = timm.create_model(name, **settings)
    return network


def _saved(tensors: dict[str, Tensor], path: Path) -> Weights:
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    return Weights("file", path, "")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "own_mask_networks_of_test.py").write_text(_OWN)
    return folder


def test_every_decoder_has_its_oracle() -> None:
    assert _CLASSES.keys() == DECODERS.keys()


@pytest.mark.parametrize(("name", "decoder"), _PAIRS)
def test_logits_are_as_large_as_images_of_any_size(name: str, decoder: str) -> None:
    network = _network(name, decoder)
    with torch.inference_mode():
        for height, width in ((65, 50), (7, 131)):
            images = _images(height, width)
            logits, (presence,) = network.all_outputs(images)
            assert logits.shape == (2, 3, height, width)
            assert torch.equal(network(images), logits)
            assert presence.shape == (2, 3)
            assert logits[0].std() > 0


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", _SMALL)
def test_logits_are_those_of_the_library_to_the_bit(name: str, decoder: str) -> None:
    network = _network(name, decoder)
    twin = _CLASSES[decoder](f"tu-{name}", encoder_weights=None, classes=3).eval()
    words = {"backbone.encoder.": "encoder.", "decoder.body.": "decoder."}
    words["decoder.last."] = "segmentation_head."
    tensors = {
        new + key.removeprefix(old): value
        for old, new in words.items()
        for key, value in network.state_dict().items()
        if key.startswith(old)
    }
    twin.load_state_dict(tensors, strict=True)
    twin.to(memory_format=torch.channels_last)
    images = _images(128, 160)
    with torch.inference_mode():
        assert torch.equal(network(images), twin(network.normalize(images)))


@pytest.mark.parametrize("decoder", DECODERS)
def test_both_layouts_give_the_same_logits(decoder: str) -> None:
    network = _fresh(decoder).eval()
    images = _images(65, 50)
    with torch.inference_mode():
        last = network(images)
        network.set_layout("channels_first")
        torch.testing.assert_close(network(images), last, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_file_of_the_weights_gives_the_same_bits(decoder: str, tmp_path: Path) -> None:
    network = _network("test_resnet", decoder)
    weights = _saved(network.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(5)
    other = build_masks(
        name="test_resnet", decoder=decoder, num_outputs=3, size=64, presence=True
    ).eval()
    other.load_state_dict(weights.read())
    images = _images(33, 70)
    with torch.inference_mode():
        assert torch.equal(other(images), network(images))


@pytest.mark.parametrize("decoder", DECODERS)
def test_fresh_masks_begin_at_the_logits_that_are_given(decoder: str) -> None:
    network, images = _fresh(decoder).eval(), _images()
    assert network.decoder is not None
    with torch.inference_mode():
        network.decoder.begin_at([0.0, 0.0, 0.0])
        before = network(images)
        network.decoder.begin_at([-4.0, 0.0, 2.0])
        shift = network(images) - before
    expected = torch.tensor([-4.0, 0.0, 2.0]).view(1, 3, 1, 1).expand_as(shift)
    torch.testing.assert_close(shift, expected, rtol=1e-5, atol=1e-5)


def test_trained_masks_go_on_from_their_own_logits(tmp_path: Path) -> None:
    weights = _saved(_network().state_dict(), tmp_path / "weights.safetensors")
    settings = {"weights": weights, "first_logits": [-4.0, 0.0, 2.0]}
    resumed = _fresh(presence=True, **settings).eval()
    others = _fresh(num_outputs=2, weights=weights, first_logits=[-4.0, 2.0])
    with torch.inference_mode():
        assert torch.equal(resumed(_images()), _network()(_images()))
    assert others.decoder is not None
    assert others.decoder.last[0].bias.tolist() == [-4.0, 2.0]


def test_filling_up_changes_nothing_where_it_is_not_needed() -> None:
    """An image that is filled up by hand with the mean colour gives the same."""
    network = _network()
    images = _images(40, 64)
    mean = (255 * network.mean).view(1, 3, 1, 1)
    by_hand = torch.cat([images.float(), mean.expand(2, 3, 24, 64)], dim=2)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), network(by_hand)[:, :, :40])


@pytest.mark.parametrize("name", _USUAL)
def test_weights_of_a_network_for_classes_arrive_in_the_encoder(name: str, tmp_path: Path) -> None:
    whole = _timm(name).eval()
    weights = _saved(whole.state_dict(), tmp_path / "w.safetensors")
    network = build_masks(name=name, decoder="fpn", num_outputs=2, size=64, weights=weights).eval()
    twin = timm.create_model(name, features_only=True).eval()
    names = {key.replace(".", "_"): key for key in whole.state_dict()}
    tensors = whole.state_dict()
    twin.load_state_dict({key: tensors[names[key.replace(".", "_")]] for key in twin.state_dict()})
    pixels = network.normalize(_images())
    with torch.inference_mode():
        maps = [each for each in network.backbone(pixels) if each.shape[1] and each is not pixels]
        for found, expected in zip(maps, twin(pixels), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("test_resnet", set()),
        ("test_efficientnet", {"conv_head", "bn2"}),
        ("test_convnext", {"head"}),
        ("swin_tiny_patch4_window7_224", {"norm"}),
    ],
)
def test_what_no_map_comes_from_is_named(name: str, dropped: set[str]) -> None:
    options = {"strict_img_size": False} if name.startswith("swin") else {}
    network = build_masks(name=name, decoder="fpn", num_outputs=2, size=64, options=options)
    assert isinstance(network.backbone, Encoder)
    assert {key.partition(".")[0] for key in network.backbone.dropped} == dropped


@pytest.mark.parametrize("package", [name for name, _ in available_packages()])
def test_weights_of_a_package_arrive(package: str, tmp_path: Path) -> None:
    name = dict(available_packages())[package]
    weights = resolve(f"package:{package}", name=name, rules_pretrained="allowed", cache=tmp_path)
    assert weights is not None
    network = build_masks(name=name, decoder="fpn", num_outputs=2, size=64, weights=weights).eval()
    twin = timm.create_model(name, features_only=True).eval()
    tensors = weights.read()
    twin.load_state_dict({key: tensors[key] for key in twin.state_dict()})
    assert tuple(network.mean.tolist()) == pytest.approx(weights.mean)
    pixels = network.normalize(_images())
    with torch.inference_mode():
        for found, expected in zip(network.backbone(pixels)[1:], twin(pixels), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 4, 9])
def test_the_first_layer_is_fitted_to_other_channels_as_timm_does(
    channels: int, tmp_path: Path
) -> None:
    weights = _saved(_timm("test_resnet").state_dict(), tmp_path / "w.safetensors")
    common = {"name": "test_resnet", "num_outputs": 2, "size": 64, "weights": weights}
    network = build_masks(**common, decoder="unet", channels=channels).eval()  # type: ignore[arg-type]  # The same for both.
    single = build(**common, channels=channels)  # type: ignore[arg-type]
    first = network.backbone.get_parameter("encoder.model.conv1.0.weight")
    assert torch.equal(first, single.backbone.get_parameter("conv1.0.weight"))
    assert torch.equal(network.mean, single.mean)
    assert network(_images(channels=channels)).shape == (2, 2, 64, 64)


def test_equal_stacked_images_are_seen_as_one(tmp_path: Path) -> None:
    weights = _saved(_timm("test_resnet").state_dict(), tmp_path / "w.safetensors")
    one, three = (_fresh(weights=weights, num_images=num).eval().backbone for num in (1, 3))
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            one(pixels)[-1], three(pixels.repeat(1, 3, 1, 1))[-1], rtol=1e-3, atol=1e-4
        )


def test_a_classifier_of_ours_starts_a_network_for_masks(tmp_path: Path) -> None:
    classifier = build(name="test_resnet", num_outputs=7, size=64)
    weights = _saved(classifier.state_dict(), tmp_path / "w.safetensors")
    network = _fresh(weights=weights)
    found = network.backbone.get_parameter("encoder.model.conv1.0.weight")
    assert torch.equal(found, classifier.backbone.get_parameter("conv1.0.weight"))


def test_masks_of_other_classes_start_with_new_last_layers(tmp_path: Path) -> None:
    weights = _saved(_network().state_dict(), tmp_path / "w.safetensors")
    network = _fresh(weights=weights, num_outputs=5, presence=True)
    old, new = _network().state_dict(), network.state_dict()
    changed = {key for key in old if not torch.equal(old[key], new[key])}
    assert changed == {
        f"decoder.{layer}.{kind}" for layer in ("last.0", "presence") for kind in ("weight", "bias")
    }
    same = _fresh(weights=weights, presence=True).state_dict()
    assert all(torch.equal(old[key], same[key]) for key in old)


def test_masks_of_another_decoder_are_refused(tmp_path: Path) -> None:
    weights = _saved(_network().state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match="does not fit the network"):
        _fresh("unet", weights=weights)


def test_the_decoder_is_the_head_and_the_encoder_keeps_its_statistics() -> None:
    network = _fresh(presence=True, additions=Additions(auxiliary=[4]))
    set_trainable(network, "head")
    trained = {name.partition(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert trained == {"decoder", "auxiliary"}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    train_mode(network)
    logits, others = network.all_outputs(_images())
    (logits.mean() + sum(each.mean() for each in others)).backward()
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1).step()
    changed = {key for key, value in network.state_dict().items() if not value.equal(before[key])}
    assert {key.partition(".")[0] for key in changed} == {"decoder", "auxiliary"}


@pytest.mark.parametrize("name", _SMALL)
def test_layers_are_those_of_the_whole_network(name: str) -> None:
    network = build_masks(name=name, decoder="fpn", num_outputs=3, size=64)
    whole = build(name=name, num_outputs=3, size=64)
    dropped = set(network.backbone.dropped)  # type: ignore[union-attr]  # An encoder's.
    expected = [kept for block in blocks(whole) if (kept := [n for n in block if n not in dropped])]
    found = [[key.removeprefix("encoder.model.") for key in block] for block in blocks(network)]
    plain = [
        [[n.replace(".", "_") for n in sorted(block)] for block in each]
        for each in (found, expected)
    ]
    assert plain[0] == plain[1]
    assert len(found) > 3
    set_trainable(network, {"last": 1})
    trained = {n for n, p in network.backbone.named_parameters() if p.requires_grad}
    assert trained == set(blocks(network)[-1])


def test_layer_decay_falls_towards_the_input_and_spares_the_decoder() -> None:
    network = _fresh()
    optimizer = build_optimizer(
        network, name="adamw", lr=1.0, weight_decay=0.1, options={"layer_decay": 0.5}
    )
    scales = {
        id(p): group.get("lr_scale", 1.0)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    of_blocks = [
        {scales[id(network.backbone.get_parameter(name))] for name in block}
        for block in blocks(network)
    ]
    assert of_blocks == [{0.5**power} for power in reversed(range(len(of_blocks)))]
    assert network.decoder is not None
    assert {scales[id(p)] for p in network.decoder.parameters()} == {1.0}


def test_features_are_means_of_the_last_map() -> None:
    network = _network()
    images = _images(64, 96)
    with torch.inference_mode():
        maps = network.backbone(network.normalize(images))
        torch.testing.assert_close(network.features(images), maps[-1].mean(dim=(2, 3)))
        assert torch.equal(network.image_features(images), network.apart_features(images))
        assert network.decoder is not None
        assert network.decoder.presence is not None
        expected = network.decoder.presence(network.features(images))
        torch.testing.assert_close(network.all_outputs(images)[1][0], expected)
    assert not network.has_features
    with pytest.raises(ConfigError, match="no features for a solved head"):
        _ = network.num_features


def test_further_labels_have_heads_of_their_own() -> None:
    network = _fresh(presence=True, additions=Additions(auxiliary=[4, 1])).eval()
    _, others = network.all_outputs(_images())
    assert [tuple(each.shape) for each in others] == [(2, 3), (2, 4), (2, 1)]


def test_a_network_of_ones_own_gives_masks(code: Path) -> None:
    network = build_masks(
        name="own_mask_networks_of_test:plain", decoder=None, num_outputs=4, size=16, code=code
    ).eval()
    assert network(_images(21, 8)).shape == (2, 4, 21, 8)
    assert network.all_outputs(_images())[1] == []
    assert network.end is None
    with pytest.raises(ConfigError, match="Plain ends in something other"):
        network.features(_images())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "test_vit"}, r"maps of 1/16, 1/16, 1/16 of the image's side; a decoder takes"),
        ({"name": "resnet81"}, "unknown; did you mean 'resnet18'"),
        ({"name": "small_cnn"}, "small_cnn has no maps that a decoder could take"),
        ({"name": "own_mask_networks_of_test:plain"}, "has no maps that a decoder could take"),
        ({"name": "vgg11_bn", "decoder": "deeplabv3plus"}, "cannot be the encoder of decoder deep"),
        (
            {"name": "swin_tiny_patch4_window7_224"},
            r"(?s)does not take images of several sizes.*strict_img_size: false",
        ),
        ({"decoder": "fnp"}, "decoder 'fnp' is unknown; did you mean 'fpn'"),
        ({"decoder": {"name": "fpn", "chanels": 64}}, "unknown option 'chanels'; did you mean 'ch"),
        ({"decoder": {"name": "fpn", "segmentation_channels": 40}}, "multiple of 32, found 40"),
        ({"options": {"in_chans": 1}}, r"in_chans: is set by input\.channels"),
        ({"options": {"avg_dwn": True}}, "did you mean 'avg_down'"),
        ({"drop": 0.1}, r"model\.drop: a decoder has no features"),
        ({"additions": Additions(pool="gem", branch=True)}, r"model\.branch: does not go with"),
        ({"decoder": None}, r"gives one vector for an image, and masks are asked for"),
        (
            {"decoder": None, "name": "own_mask_networks_of_test:coarse"},
            r"gives \(1, 3, 32, 32\) for one image, \(1, 3, 64, 64\) is needed",
        ),
        (
            {"decoder": None, "name": "own_mask_networks_of_test:plain", "presence": True},
            r"model\.presence: does not go with",
        ),
    ],
)
def test_mistakes_are_named(code: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _fresh(**{"code": code, **change})  # type: ignore[arg-type]  # Mistakes on purpose.


def test_building_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    _fresh("unet")


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ConfigError, match=r"pip install 'foldwise\[masks\]'"):
        _fresh()
