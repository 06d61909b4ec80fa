"""Whether a network takes images of other sizes than the one it was built for."""

from __future__ import annotations

import copy
from collections.abc import Collection

import torch

from foldwise.errors import ConfigError
from foldwise.models.network import Network


def check_sizes(network: Network, sizes: Collection[int]) -> None:
    """Try a network at these sizes, on a sketch of it that holds no numbers.

    Args:
        network: left as it is.
        sizes: sides in pixels.

    Raises:
        ConfigError: it does not take one of them.
    """
    if not sizes:
        return
    sketch = copy.deepcopy(network).to("meta").eval()
    for size in sorted(sizes):
        images = torch.zeros(1, network.num_channels, size, size, device="meta")
        try:
            with torch.no_grad():
                sketch(images)
        except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
            reason = str(error).partition("\n")[0]
            raise ConfigError(
                f"{type(network.backbone).__name__} cannot be trained at {size} px beside its own "
                f"size: {reason}",
                remedy="train at one size, or choose a convolutional network; vision transformers "
                "of timm take several with model.options: {dynamic_img_size: true}",
            ) from error
