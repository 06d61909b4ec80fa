"""Whether a network takes images of other sizes than the one it was built for."""

from __future__ import annotations

import copy
from collections.abc import Collection

import torch

from foldwise.errors import ConfigError
from foldwise.models.network import Network

#: What to do where a network takes one size only.
MORE_SIZES = (
    "choose a convolutional network; vision transformers of timm take several with "
    "model.options: {dynamic_img_size: true}"
)


def check_sizes(network: Network, sizes: Collection[int]) -> None:
    """Try a network at these sizes, on a sketch of it that holds no numbers.

    Args:
        network: left as it is.
        sizes: sides in pixels.

    Raises:
        ConfigError: it does not take one of them.
    """
    for size in sorted(sizes):
        if reason := refusal(network, size):
            raise ConfigError(
                f"{type(network.backbone).__name__} cannot be trained at {size} px beside its own "
                f"size: {reason}",
                remedy=f"train at one size, or {MORE_SIZES}",
            )


def refusal(network: Network, size: int) -> str:
    """Why a network does not take images of a size, by such a sketch; "": it does.

    Args:
        network: left as it is.
        size: side in pixels.
    """
    sketch = copy.deepcopy(network).to("meta").eval()
    images = torch.zeros(1, network.num_channels, size, size, device="meta")
    try:
        with torch.no_grad():
            sketch(images, *sketch.unknown_columns(1))
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    return ""
