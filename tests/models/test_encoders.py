"""Encoders take the weights of the whole network, whatever timm calls them there."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn

from foldwise.errors import ConfigError
from foldwise.models.encoders import encoder_of

# Of each way in which timm takes a network apart: as it is, flattened, by hooks, wrapped.
_NAMES = ["test_resnet", "test_efficientnet", "test_convnext", "test_byobnet", "test_vit"]
_LARGE = ["densenet121", "xception41", "pvt_v2_b0", "hrnet_w18_small", "maxvit_tiny_rw_224"]


class _Wrapped(nn.Module):
    """As the library of decoders holds it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = timm.create_model(name, features_only=True)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.model(images)
        return maps


@pytest.mark.parametrize("name", _NAMES)
def test_maps_are_those_on_the_way_to_the_logits(name: str) -> None:
    torch.manual_seed(0)
    whole = timm.create_model(name, num_classes=3).eval()
    encoder = encoder_of(_Wrapped(name), whole).eval()
    images = torch.randn(2, 3, 160, 160)
    with torch.inference_mode():
        found = encoder(images)
        passed = whole.forward_intermediates(images, intermediates_only=True, norm=False)
    torch.testing.assert_close(found[-1], passed[-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*_NAMES, *_LARGE])
def test_weights_are_used_or_named_as_dropped(name: str) -> None:
    with torch.device("meta"):
        whole = timm.create_model(name)
        encoder = encoder_of(_Wrapped(name), whole)
    assert len(encoder.state_dict()) + len(encoder.dropped) == len(whole.state_dict())
    assert set(encoder.dropped) < set(whole.state_dict())
    assert encoder.layers.keys() == {name for name, _ in encoder.named_parameters()}
    undecayed = {name.partition("model.")[2] for name in encoder.no_weight_decay()}
    named = {name for name, _ in whole.named_parameters()}
    expected = set(getattr(whole, "no_weight_decay", set)()) & named
    assert {name.removeprefix("model.").replace(".", "_") for name in undecayed} == {
        name.replace(".", "_") for name in expected
    }


def test_another_network_is_refused_with_the_first_names() -> None:
    with torch.device("meta"):
        whole, other = timm.create_model("test_resnet"), _Wrapped("test_convnext")
        with pytest.raises(ConfigError, match=r"no front of ResNet: model\.stem_0\.weight, "):
            encoder_of(other, whole)
        with pytest.raises(ConfigError, match=r"no front of ResNet: .*size mismatch"):
            encoder_of(_Wrapped("test_resnet"), timm.create_model("test_resnet", in_chans=1))
