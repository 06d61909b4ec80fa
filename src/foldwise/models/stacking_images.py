"""Lets a pretrained network take several images stacked as channels, and see what it saw in one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foldwise.errors import ConfigError

#: Of the largest output: repeated and divided weights differ from the old ones by rounding.
_ROUNDING = 1e-3
_REMEDY = "use model.siamese, which shows it one image at a time, or another network"


def widen_first_layer(backbone: nn.Module, image: Tensor, num_images: int) -> None:
    """Repeat the first convolution's weights for each image, divided by their number.

    If all images of a sample are equal, the network gives what it gave for one of them.

    Args:
        backbone: changed in place.
        image: (1, C, S, S) that shows something, to try it with.
        num_images: V; afterwards it takes V * C channels.

    Raises:
        ConfigError: it does not begin with one plain convolution.

    Source: for videos, Carreira and Zisserman (2017), "Quo vadis, action recognition?", CVPR.
    """
    training = backbone.training
    backbone.eval()
    with torch.no_grad():
        before = backbone(image)
        layer = _first_layer(backbone, image)
        layer.weight = nn.Parameter(layer.weight.repeat(1, num_images, 1, 1) / num_images)
        layer.in_channels *= num_images
        try:
            after = backbone(image.repeat(1, num_images, 1, 1))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ConfigError(
                f"{type(backbone).__name__} cannot take several images as channels: "
                f"{str(error).partition(chr(10))[0]}",
                remedy=_REMEDY,
            ) from error
    backbone.train(training)
    if not torch.allclose(before, after, rtol=0.0, atol=_ROUNDING * float(before.abs().max())):
        raise ConfigError(
            f"{type(backbone).__name__} changes the weights of its first layer (it standardises "
            "them, say), so they cannot be spread over several images as channels",
            remedy=_REMEDY,
        )


def _first_layer(backbone: nn.Module, image: Tensor) -> nn.Conv2d:
    """The first layer with weights that the image passes."""
    passed: list[nn.Module] = []
    layers = [m for m in backbone.modules() if any(True for _ in m.parameters(recurse=False))]
    handles = [
        layer.register_forward_pre_hook(lambda module, inputs: passed.append(module))
        for layer in layers
    ]
    backbone(image)
    for handle in handles:
        handle.remove()
    first = next((layer for layer in passed if not list(layer.children())), None)
    if not isinstance(first, nn.Conv2d) or first.weight.shape[1] != image.shape[1]:
        raise ConfigError(
            f"{type(backbone).__name__} does not begin with one convolution of the image, so its "
            "weights cannot be spread over several images as channels",
            remedy=_REMEDY,
        )
    return first
