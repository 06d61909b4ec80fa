"""Whether a network can be shown a view: some views change nothing, some networks take one size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from foldwise.errors import ConfigError
from foldwise.models.network import Network
from foldwise.models.sizes import MORE_SIZES, refusal
from foldwise.views import View


def check_views(network: Network, views: Sequence[View], size: int) -> None:
    """Try a network at the sizes of views, on a sketch of it that holds no numbers.

    Args:
        network: left as it is.
        views: that it is to be shown.
        size: side of the images they are of, pixels.

    Raises:
        ConfigError: it does not take one of them, or one changes nothing at this size.
    """
    for view in views:
        if view.is_idle((size, size)):
            raise ConfigError(
                f"{view.name} changes nothing where input.size is {size}",
                remedy="take the view out, or change more: sides of scaled images stay multiples "
                f"of {math.gcd(size, 32)} px, as networks halve them",
            )
        side = view.sizes((size, size))[-1][0]
        reason = refusal(network, side) if side != size else ""
        if reason:
            raise ConfigError(
                f"{type(network.backbone).__name__} cannot be shown {view.name}, which is "
                f"{side} px where input.size is {size}: {reason}",
                remedy=f"take the view out, or {MORE_SIZES}",
            )


def check_shown(views: Sequence[View], size: int) -> None:
    """Check that every pixel of an image is shown in some view, as its map wants.

    Args:
        views: that are averaged.
        size: side of the images they are of, pixels.

    Raises:
        ConfigError: some pixels are in none.
    """
    weights = torch.zeros(1, 1, size, size)
    for view in views:
        height, width = view.sizes((size, size))[-1]
        weights = weights + view.maps(torch.zeros(1, 1, height, width), (size, size))[1]
    hidden = float((weights <= 0).float().mean())
    if hidden:
        raise ConfigError(
            f"{hidden:.1%} of an image's pixels are in none of the views, so nothing is said of "
            "them",
            remedy="add identity",
        )
