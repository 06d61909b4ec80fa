"""How a network turns its last map into a vector: pools by name, put in the place of its own."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from foldwise import parts
from foldwise.errors import ConfigError

#: Features below this count as this: a root has no slope at 0.
_LEAST = 1e-6


class Pool(nn.Module):
    """The place of a pool in a network, in the form that the network's own pool had.

    Args:
        pool: (N, C, h, w) → (N, C).
        keeps_dims: whether (N, C, 1, 1) comes out, or (N, C).
        channels_last: whether (N, h, w, C) goes in, and (N, 1, 1, C) comes out.
    """

    def __init__(
        self, pool: nn.Module, *, keeps_dims: bool = False, channels_last: bool = False
    ) -> None:
        super().__init__()
        self.pool = pool
        self.keeps_dims = keeps_dims
        self.channels_last = channels_last

    def forward(self, maps: Tensor) -> Tensor:
        """A map to a vector, as the constructor says."""
        pooled: Tensor = self.pool(maps.permute(0, 3, 1, 2) if self.channels_last else maps)
        if not self.keeps_dims:
            return pooled
        return pooled[:, None, None, :] if self.channels_last else pooled[:, :, None, None]


class Mean(nn.Module):
    """The mean over all places."""

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) → (N, C)."""
        return maps.mean(dim=(2, 3))


class _Max(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.amax(dim=(2, 3))


class _MeanMax(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return 0.5 * (maps.mean(dim=(2, 3)) + maps.amax(dim=(2, 3)))


class _PowerMean(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([p]))

    def forward(self, maps: Tensor) -> Tensor:
        # In single precision: powers of half-precision features overflow.
        powers = maps.float().clamp(min=_LEAST).pow(self.p)
        pooled: Tensor = powers.mean(dim=(2, 3)).pow(1.0 / self.p)
        return pooled.to(maps.dtype)


class _Attention(nn.Module):
    def __init__(self, num_features: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(num_features, hidden)
        self.weigh = nn.Linear(hidden, 1, bias=False)
        # All places weigh the same at first: what is solved on means stays right.
        nn.init.zeros_(self.weigh.weight)

    def forward(self, maps: Tensor) -> Tensor:
        places = maps.flatten(2).transpose(1, 2)
        weights = self.weigh(torch.tanh(self.hidden(places))).float().softmax(dim=1)
        pooled: Tensor = (places * weights).sum(dim=1)
        return pooled.to(maps.dtype)


def avg(num_features: int) -> nn.Module:
    """The mean over all places: what most networks do of themselves."""
    return Mean()


def maximum(num_features: int) -> nn.Module:
    """The largest value of each feature: one place is enough to be seen."""
    return _Max()


def avgmax(num_features: int) -> nn.Module:
    """Half the mean and half the largest value."""
    return _MeanMax()


def gem(num_features: int, *, p: Annotated[float, Field(gt=0, le=16)] = 3.0) -> nn.Module:
    """The generalised mean (mean of x^p)^(1/p), between the mean (p = 1) and the largest (p → ∞).

    Features below 1e-6 count as that, so it suits networks that end in ReLU or the like.

    Args:
        num_features: C.
        p: the power at the start; it is learned.

    Source: Radenović, Tolias and Chum (2018), "Fine-tuning CNN image retrieval with no human
    annotation", IEEE TPAMI 41(7).
    """
    return _PowerMean(p)


def attention(num_features: int, *, hidden: Annotated[int, Field(ge=1)] = 128) -> nn.Module:
    """A weighted mean: a small network looks at each place and says how much it counts.

    It starts as the mean.

    Args:
        num_features: C.
        hidden: width of that small network.

    Source: Ilse, Tomczak and Welling (2018), "Attention-based deep multiple instance learning",
    ICML; equations 7 and 8, without gating.
    """
    return _Attention(num_features, hidden)


def set_pool(network: nn.Module, spec: parts.Spec, images: Tensor) -> None:
    """Put a pool in the place of the network's own, its module `global_pool`.

    Args:
        network: in eval mode; changed in place.
        spec: name and options of the pool.
        images: (1, C, H, W) to try it with, on the network's device.

    Raises:
        ConfigError: unknown pool or option, or the network has no one such place.
    """
    bound = parts.bind(POOLS, spec, what="pool")
    places = [n for n, _ in network.named_modules() if n.rpartition(".")[2] == "global_pool"]
    seen: list[tuple[Tensor, Tensor]] = []
    if len(places) == 1:
        place = network.get_submodule(places[0])
        handle = place.register_forward_hook(
            lambda _, inputs, output: seen.append((*inputs, output))
        )
        with torch.no_grad():
            network(images)
        handle.remove()
    if len(seen) != 1 or seen[0][0].ndim != 4 or len(seen[0][1].flatten()) not in seen[0][0].shape:
        raise ConfigError(
            f"model.pool: {parts.name_of(spec)}: {type(network).__name__} has no one module "
            "`global_pool` that makes a vector of its last map",
            remedy="take model.pool out; for timm's transformers try "
            "model.options: {global_pool: avg}",
        )
    maps, pooled = seen[0]
    channels_last = maps.shape[1] != pooled.numel()
    pool = Pool(bound(pooled.numel()), keeps_dims=pooled.ndim == 4, channels_last=channels_last)
    network.set_submodule(places[0], pool.to(maps.device).train(network.training))


def pool_parameters(network: nn.Module) -> list[nn.Parameter]:
    """The weights of pools that were set, none of which came with pretrained ones."""
    pools = [module for module in network.modules() if isinstance(module, Pool)]
    return [parameter for pool in pools for parameter in pool.parameters()]


POOLS: dict[str, Any] = {
    "avg": avg,
    "max": maximum,
    "avgmax": avgmax,
    "gem": gem,
    "attention": attention,
}
