"""Pools by name: hand-worked values, timm's own, how they start, and where they cannot stand."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.network import Network
from foldwise.models.pooling import POOLS
from foldwise.models.weights import Weights

# (N, C) comes out of the first one's pool, (N, C, 1, 1) of the last one's.
_PLACES = [("small_resnet", pool) for pool in POOLS] + [("test_convnext", "gem")]
_GEM_FILE = "gem.safetensors"


def _built(name: str, pool: object, size: int = 32, **options: object) -> Network:
    torch.manual_seed(0)
    return build(name=name, num_outputs=3, size=size, additions=Additions(pool=pool), **options)  # type: ignore[arg-type]


def _images(num: int = 2, size: int = 32) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (num, 3, size, size), generator=rng, dtype=torch.uint8)


def test_gem_is_the_power_mean_worked_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]]])
    pool = POOLS["gem"](2, p=2.0)
    # sqrt((1 + 4 + 9 + 0) / 4) = 1.870829; a flat map is its own mean.
    torch.testing.assert_close(pool(maps), torch.tensor([[1.8708287, 2.0]]))
    assert POOLS["gem"](2)(maps)[0, 0].item() == pytest.approx((36 / 4) ** (1 / 3), rel=1e-6)


def test_gem_lies_between_the_mean_and_the_largest_and_learns_its_power() -> None:
    maps = torch.rand(4, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(POOLS["gem"](5, p=1.0)(maps), maps.mean(dim=(2, 3)))
    torch.testing.assert_close(
        POOLS["gem"](5, p=16.0)(maps), maps.amax(dim=(2, 3)), rtol=0.15, atol=0.0
    )
    pool = POOLS["gem"](5)
    pool(maps).sum().backward()
    (power,) = pool.parameters()
    assert power.grad is not None
    assert power.grad.item() > 0  # A higher power gives a higher mean.


def test_gem_of_half_precision_maps_does_not_overflow() -> None:
    maps = torch.full((1, 2, 2, 2), 60.0, dtype=torch.float16)  # 60³ is beyond float16.
    found = POOLS["gem"](2)(maps)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), torch.full((1, 2), 60.0), rtol=1e-3, atol=0.0)


def test_attention_starts_as_the_mean_and_is_a_softmax_over_places() -> None:
    maps = torch.rand(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    pool = POOLS["attention"](4, hidden=3)
    torch.testing.assert_close(pool(maps), maps.mean(dim=(2, 3)))
    with torch.no_grad():
        pool.weigh.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        expected = torch.zeros(2, 4)
        for n in range(2):
            places = maps[n].reshape(4, 15).T
            scores = torch.tanh(places @ pool.hidden.weight.T + pool.hidden.bias)
            weights = (scores @ pool.weigh.weight[0]).exp()
            expected[n] = (weights[:, None] * places).sum(dim=0) / weights.sum()
        torch.testing.assert_close(pool(maps), expected)


@pytest.mark.parametrize(("name", "pool"), _PLACES)
def test_every_pool_stands_in_every_cnn_before_an_ordinary_head(name: str, pool: str) -> None:
    network = _built(name, pool).eval()
    plain = build(name=name, num_outputs=3, size=32)
    assert network.num_features == plain.num_features
    with torch.no_grad():
        features = network.features(_images())
        assert features.shape == (2, network.num_features)
        assert torch.equal(network(_images()), network.head(features))


@pytest.mark.parametrize(
    ("name", "pool"),
    [("test_resnet", "avg"), ("test_resnet", "max"), ("test_convnext", "avgmax")],
)
def test_pools_that_timm_has_give_what_timm_gives(name: str, pool: str) -> None:
    network = _built(name, pool).eval()
    twin = timm.create_model(name, num_classes=0, global_pool=pool).eval()
    twin.load_state_dict(network.backbone.state_dict(), strict=False)
    with torch.no_grad():
        expected = twin(network.normalize(_images()))
        torch.testing.assert_close(network.features(_images()), expected)


def test_a_pool_stands_where_channels_are_last() -> None:
    options = {"embed_dim": 16, "depths": [1, 1], "num_heads": [1, 1], "window_size": 4}
    name = "swin_tiny_patch4_window7_224"
    network = _built(name, "avg", options=options).eval()
    plain = build(name=name, num_outputs=3, size=32, options=options).eval()
    plain.load_state_dict(network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network(_images()), plain(_images()))


def test_weights_of_a_pool_are_taken_over_from_a_file(tmp_path: Path) -> None:
    first = _built("small_cnn", "gem")
    pool = next(p for n, p in first.named_parameters() if n.endswith("pool.p"))
    torch.nn.init.constant_(pool, 4.5)
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, tmp_path / _GEM_FILE)
    weights = Weights(f"file:{_GEM_FILE}", tmp_path / _GEM_FILE, "x")
    again = _built("small_cnn", "gem", weights=weights).eval()
    assert torch.equal(again(_images()), first.eval()(_images()))
    with pytest.raises(ConfigError, match="does not fit the network"):
        _built("small_cnn", "attention", weights=weights)


def test_a_pool_that_has_no_place_or_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="VisionTransformer has no one module `global_pool`"):
        _built("test_vit", "gem", size=160)
    with pytest.raises(ConfigError, match="pool 'gme' is unknown; did you mean 'gem'") as error:
        _built("small_cnn", "gme")
    assert all(name in error.value.remedy for name in POOLS)
    with pytest.raises(ConfigError, match="pool gem: unknown option 'q'; it takes p"):
        _built("small_cnn", {"name": "gem", "q": 1})
    with pytest.raises(ConfigError, match="pool gem: p: Input should be greater than 0"):
        _built("small_cnn", {"name": "gem", "p": 0})
    with pytest.raises(ConfigError, match=r"options\.global_pool: is set by model\.pool"):
        _built("test_resnet", "gem", options={"global_pool": "max"})
